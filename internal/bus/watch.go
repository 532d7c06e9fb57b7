package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// watchHeartbeat is the server's while nothing changes: a consumer that is gone
	// without a word is noticed after two.
	watchHeartbeat = 5 * time.Second
	// watchRetry is between two questions whether a lost bucket is there again.
	watchRetry = 250 * time.Millisecond
)

// errReplaced: the bucket was removed and made again, or put back from an older copy.
var errReplaced = errors.New("the bucket is another one, or older than it was")

// Watch calls each for the present entry of every key that fits the pattern (* is
// one token, > the rest), then for every change, deletions too, from one
// goroutine, until ctx ends; then it returns ctx's cause. It survives lost
// connections and goes on where it was. Where the bucket was removed, or is an older
// copy of itself, it ends with an error; whoever watches begins again, and must not
// compare revisions over that. It shows what a replica knows and may lag: decisions
// belong to Get and to the writes that compare.
func (k *Bucket) Watch(ctx context.Context, pattern string, each func(Entry)) error {
	w := &watch{bucket: k, subject: bucketSubject(k.name, pattern), each: each}
	var err error
	if w.of, err = k.bus.Identity(ctx, k.name); err == nil && w.of.Missing {
		err = ErrUnprovisioned
	}
	for err == nil {
		if err = w.follow(ctx); err == nil {
			err = w.same(ctx)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return k.failed("watch", pattern, err)
}

// watch is what has been seen of a bucket. An ordered consumer of the library would
// go on behind the last sequence also in a bucket that was made again, where that
// number comes late or never.
type watch struct {
	bucket  *Bucket
	subject string
	each    func(Entry)
	of      Identity // as the watch began
	last    Stored   // seen last
}

// follow reads one consumer until it is lost, which is no error.
func (w *watch) follow(ctx context.Context) error {
	b := w.bucket.bus
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lost := make(chan struct{}, 1)
	lose := func() {
		select {
		case lost <- struct{}{}:
		default:
		}
	}
	defer context.AfterFunc(b.session.context(), lose)() // the consumer may not outlive a server
	consumer, err := w.consumer(ctx)
	if err != nil {
		return classify(err)
	}
	got := make(chan *Delivery)
	cc, err := consumer.Consume(func(m jetstream.Msg) {
		d, err := delivered(m)
		if err != nil {
			return // not JetStream's: no change of a key
		}
		select {
		case got <- d:
		case <-ctx.Done():
		}
	}, jetstream.PullHeartbeat(watchHeartbeat), jetstream.ConsumeErrHandler(func(jetstream.ConsumeContext, error) { lose() }))
	if err != nil {
		return classify(err)
	}
	ended := cc.Closed()
	defer func() {
		stop()
		cc.Stop()
		<-ended
	}()
	for turn := uint64(1); ; turn++ {
		select {
		case d := <-got:
			if d.Turn != turn {
				return nil // one was dropped on the way
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

// consumer is one that begins behind what was seen. It goes by itself a minute after
// the last question.
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

// same waits until the server answers, and makes sure that the bucket is the one that
// the watch began with. Where that leaves a doubt, everything is told again.
func (w *watch) same(ctx context.Context) error {
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
		w.last = Stored{} // the key was written again, or a copy was and has outgrown it
	case err != nil:
		return err
	case !m.Time.Equal(w.last.Time):
		return errReplaced
	}
	return nil
}
