package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// watchHeartbeat is the interval of the server's heartbeats while nothing changes.
	// After two missed ones the consumer counts as lost.
	watchHeartbeat = 5 * time.Second
	// watchRetry is the wait between two checks of a bucket whose server is away.
	watchRetry = 250 * time.Millisecond
)

// errReplaced: the bucket was removed and created again, or restored from an older copy.
var errReplaced = errors.New("the bucket is another one, or older than it was")

// Watch calls each for the present entry of every key that matches the pattern (* is one
// token, > the rest), then for every change, deletions included, from one goroutine,
// until ctx ends; then it returns ctx's cause. It continues after a lost connection.
// If the bucket was removed, or is an older copy of itself, Watch returns an error; the
// caller may watch again, but revisions from before and after must not be compared. A
// watch reads from a replica and may lag: decisions need Get, or a write that compares.
func (k *Bucket) Watch(ctx context.Context, pattern string, each func(Entry)) error {
	w := &watch{bucket: k, subject: bucketSubject(k.name, pattern), each: each}
	var err error
	if w.of, err = k.bus.Identity(ctx, k.name); err == nil && w.of.Missing {
		err = ErrUnprovisioned
	}
	for err == nil {
		if err = w.follow(ctx); err == nil {
			err = w.verify(ctx)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return k.failed("watch", pattern, err)
}

// watch is one run of [Bucket.Watch]. It does not use the library's ordered consumer:
// in a bucket that was created again that consumer would wait for the sequence behind
// the last one, which comes late or never.
type watch struct {
	bucket  *Bucket
	subject string
	each    func(Entry)
	of      Identity // when the watch began
	last    Stored   // the newest entry that was told
}

// follow reads from one consumer until that is lost, which is no error.
func (w *watch) follow(ctx context.Context) error {
	b := w.bucket.bus
	lost := make(chan struct{}, 1)
	lose := func() {
		select {
		case lost <- struct{}{}:
		default:
		}
	}
	defer context.AfterFunc(b.session.context(), lose)() // the consumer may end with its server
	consumer, err := w.consumer(ctx)
	if err != nil {
		return classify(err)
	}
	got, end, err := relay(consumer, jetstream.PullHeartbeat(watchHeartbeat),
		jetstream.ConsumeErrHandler(func(jetstream.ConsumeContext, error) { lose() }))
	if err != nil {
		return classify(err)
	}
	defer end()
	for expected := uint64(1); ; expected++ {
		select {
		case d := <-got:
			if d.Turn != expected {
				return nil // a delivery was lost on the way
			}
			w.last = d.Stored
			w.each(w.bucket.entry(d.Stored))
		case <-lost:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.closed:
			return fmt.Errorf("%w: the connection was closed", ErrUnreachable)
		}
	}
}

// consumer creates a consumer that begins behind the last entry that was told. The server
// removes it a minute after the last request.
func (w *watch) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	c := jetstream.ConsumerConfig{
		FilterSubjects: []string{w.subject}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy,
		MaxDeliver: 1, InactiveThreshold: time.Minute, MemoryStorage: true, Replicas: 1,
	}
	if w.last.Sequence > 0 {
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, w.last.Sequence+1
	}
	return w.bucket.bus.js.CreateConsumer(ctx, bucketStream(w.bucket.name), c)
}

// verify waits until the server answers, and checks that the bucket is the one with which
// the watch began. If it cannot be sure, the watch tells every entry again.
func (w *watch) verify(ctx context.Context) error {
	b := w.bucket.bus
	for {
		err := w.compare(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !errors.Is(err, ErrUnreachable) {
			return err
		}
		select {
		case <-time.After(watchRetry):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.closed:
			return fmt.Errorf("%w: the connection was closed", ErrUnreachable)
		}
	}
}

func (w *watch) compare(ctx context.Context) error {
	now, err := w.bucket.bus.Identity(ctx, w.bucket.name)
	switch {
	case err != nil:
		return err
	case now.Missing:
		return ErrUnprovisioned
	case now.Life != w.of.Life, !now.Created.Equal(w.of.Created), now.Last < max(w.of.Last, w.last.Sequence):
		return errReplaced
	case w.last.Sequence == 0:
		return nil
	}
	m, err := w.bucket.bus.one(ctx, bucketStream(w.bucket.name), get{Sequence: w.last.Sequence})
	switch {
	case errors.Is(err, ErrNotFound):
		w.last = Stored{} // the key was written again, or an older copy was restored and written further
	case err != nil:
		return err
	case !m.Time.Equal(w.last.Time):
		return errReplaced
	}
	return nil
}
