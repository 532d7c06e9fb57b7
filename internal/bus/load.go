package bus

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// loadAtOnce bounds the concurrent requests while a bucket is read key by key.
const loadAtOnce = 32

// Load calls each for every entry whose key is below prefix, from one goroutine, until each
// fails. The prefix consists of whole tokens: "wait.acme" covers "wait.acme.work_order.1",
// "" covers all keys. Load reads no other key. It misses no entry; one that is written
// meanwhile may come again with its newer value. With several replicas it reads from the
// leader only.
func (k *Bucket) Load(ctx context.Context, prefix string, each func(Entry) error) error {
	below := ">"
	if prefix = strings.TrimSuffix(prefix, "."); prefix != "" {
		if !validKey(prefix) {
			return k.failed("load", prefix, errors.New("not a prefix of whole tokens"))
		}
		below = prefix + ".>"
	}
	read := k.pages
	if k.bus.replicas > 1 {
		read = k.oneByOne
	}
	err := read(ctx, bucketSubject(k.name, below), func(s Stored) error {
		e := k.entry(s)
		if e.Deleted {
			return nil
		}
		return each(e)
	})
	return k.failed("load", below, err)
}

// pages reads the messages below filter in the order of their revisions. An entry that is
// written meanwhile moves to the end, where pages still reads it.
func (k *Bucket) pages(ctx context.Context, filter string, each func(Stored) error) error {
	for from, more := uint64(1), true; more; {
		var page []Stored
		var err error
		if page, more, err = k.bus.batch(ctx, bucketStream(k.name), filter, from, pageAtOnce); err != nil {
			return err
		}
		for _, s := range page {
			if err := each(s); err != nil {
				return err
			}
			from = s.Sequence + 1
		}
		more = more && len(page) > 0
	}
	return nil
}

// oneByOne asks the leader for the keys below filter, then for the value of each, several
// at a time: the leader answers no batches.
func (k *Bucket) oneByOne(ctx context.Context, filter string, each func(Stored) error) error {
	subjects, err := k.subjects(ctx, filter)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	readers, rctx := errgroup.WithContext(ctx)
	next, got := make(chan string), make(chan Stored, loadAtOnce)
	readers.Go(func() error {
		defer close(next)
		for subject := range subjects {
			select {
			case next <- subject:
			case <-rctx.Done():
				return rctx.Err()
			}
		}
		return nil
	})
	for range loadAtOnce {
		readers.Go(func() error { return k.readAll(rctx, next, got) })
	}
	go func() {
		err = readers.Wait()
		close(got)
	}()
	var refused error
	for s := range got {
		if refused == nil {
			if refused = each(s); refused != nil {
				stop() // the readers end
			}
		}
	}
	if refused != nil {
		return refused
	}
	return err
}

// readAll reads the last message of each subject.
func (k *Bucket) readAll(ctx context.Context, subjects <-chan string, got chan<- Stored) error {
	for subject := range subjects {
		s, err := k.bus.one(ctx, bucketStream(k.name), get{Last: subject})
		if errors.Is(err, ErrNotFound) {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return err
		}
		select {
		case got <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (k *Bucket) subjects(ctx context.Context, filter string) (map[string]uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := k.bus.js.Stream(ctx, bucketStream(k.name))
	if err != nil {
		return nil, classify(err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, classify(err)
	}
	return info.State.Subjects, nil
}
