package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/sleep"
)

// room is the consumer of one desk: it brings messages to their orders.
type room struct {
	o      *owner
	k      orders.Queue
	cons   atomic.Pointer[Consumer]
	start  uint64                     // everything below is settled or on record: the first sequence for a consumer that is made
	old    uint64                     // up to here owners before may have begun messages
	turn   uint64                     // of the last delivery
	seen   atomic.Uint64              // highest sequence that came in this epoch
	newest atomic.Pointer[bus.Stored] // the message of that sequence: a witness, without its data

	history  string      // of the store, that the sequences belong to
	recheck  uint64      // messages up to here may have been settled in a history before
	rechecks atomic.Bool // they are still looked at again
	marked   bool        // rechecks as it is on record

	// missed is up to where a delivery may have been lost on the way, 0 for none: it
	// comes again, and until it has no order is vouched for.
	missed atomic.Uint64

	down atomic.Pointer[string] // why the consumer is being made anew; nil: it runs
}

func newRoom(o *owner, k orders.Queue) *room { return &room{o: o, k: k} }

func (r *room) name(epoch uint64) string {
	return r.k.Consumer(r.o.t.Name, epoch)
}

// open makes this epoch's consumer.
func (r *room) open(ctx context.Context) error {
	r.turn = 0
	r.missed.Store(0)
	c, err := r.o.d.o.Ports.Inbox.Consume(ctx, bus.ConsumerConfig{
		Stream: orders.StreamOf(r.k.Stage), Name: r.name(r.o.tenure.Epoch),
		Filters:       events.StageFilters(r.o.t.Name, r.k.Stage, r.k.Noun),
		StartSequence: r.start, AckWait: r.o.d.o.AckWait, MaxAckPending: r.o.d.o.MaxHeld, Batch: 2 * r.o.d.o.Concurrency,
		CheckEvery: r.o.d.o.Stalls,
	}, r.take)
	if err != nil {
		return err
	}
	r.cons.Store(&c)
	return nil
}

// keep makes the consumer anew when it stalls or is gone, and says so; in between
// it looks how far the consumer has come.
func (r *room) keep(ctx context.Context) {
	beat := time.NewTicker(r.o.d.o.Stalls)
	defer beat.Stop()
	walked := r.o.walked
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-walked:
			walked = nil
			beat.Reset(r.o.d.o.Beat) // that it is done belongs on record soon
			continue
		case <-beat.C:
			beat.Reset(r.o.d.o.Stalls)
			if err := r.look(ctx); err != nil && ctx.Err() == nil {
				r.o.log.Debug("consumer not looked at", slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.String("cause", err.Error()))
			}
			continue
		case err, failed := <-(*r.cons.Load()).Err():
			if ctx.Err() != nil || !failed {
				return
			}
			r.rebuild(ctx, err)
		}
	}
}

// rebuild begins after a moment: a server that deletes a consumer tells of it
// before it removes the directory, which the next one by that name will have.
func (r *room) rebuild(ctx context.Context, cause error) {
	why := cause.Error()
	r.down.Store(&why)
	defer r.down.Store(nil)
	log := r.o.log.With(slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.String("cause", cause.Error()))
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		sleep.For(ctx, pause)
		err := r.reopen(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			log.Warn("consumer rebuilt")
			r.o.d.meters.rebuilt(ctx, r.o.t.Name, r.k)
			return
		}
		log.Warn("consumer not rebuilt yet", slog.String("why", err.Error()))
	}
}

// reopen starts behind what was settled while the consumer was sound; what was
// delivered before may have been begun by us. Whatever is there by its name is
// not trusted: somebody may have made it, and it may have passed messages over.
func (r *room) reopen(ctx context.Context) error {
	if err := r.o.tenure.Check(ctx); err != nil {
		return err
	}
	if err := r.o.fits(ctx); err != nil {
		return err
	}
	// It may have a message in hand still; two of them would overtake each other.
	if err := r.close(ctx); err != nil {
		return err
	}
	stream, name := orders.StreamOf(r.k.Stage), r.name(r.o.tenure.Epoch)
	info, err := r.o.d.o.Ports.Inbox.ConsumerInfo(ctx, stream, name)
	if err == nil {
		err = r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, stream, name)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	r.old, r.start = max(r.old, r.seen.Load(), info.Delivered), max(r.start, (*r.cons.Load()).Floor()+1)
	if err := r.reaches(ctx); err != nil {
		return err
	}
	// A new consumer has forgotten how far this one had come.
	if err := r.mark(ctx, r.old); err != nil {
		return err
	}
	return r.open(ctx)
}

func (r *room) close(ctx context.Context) error {
	c := r.cons.Load()
	if c == nil {
		return nil
	}
	return (*c).Stop(ctx)
}

// take brings one delivery to its order; it blocks while the desk is full, or the
// bucket of the records.
func (r *room) take(m *bus.Delivery) {
	r.o.d.space.Await(r.o.soft, r.k.Stage, r.o.d.o.Beat)
	inOrder, again := r.judge(m)
	route, err := events.ParseRoute(m.Subject)
	if err != nil {
		// The consumer's filters let nothing else through.
		r.o.log.Error("message on an unknown subject", slog.String("subject", m.Subject))
		return
	}
	if !r.o.bring(orders.ID{Noun: route.Noun, Key: route.Key}, false, r.k, delivery{m: m, stage: r.k.Stage, inOrder: inOrder, again: again}) {
		r.miss(r.seen.Load())
	}
}

// judge tells whether a delivery is vouched for, being the first of its message and
// the next of the consumer's, and whether its message may have been begun before.
func (r *room) judge(m *bus.Delivery) (inOrder, again bool) {
	r.turn++
	if m.Turn != r.turn {
		r.turn = m.Turn
		r.miss(beyond)
	}
	if m.Delivered == 1 && r.missed.Load() == beyond {
		// What was lost had come before, or lies below this one. Of one that comes
		// again that is not so: there may be new ones between.
		r.missed.Store(max(r.seen.Load(), m.Sequence-1))
	}
	if m.Sequence > r.seen.Load() { // written here alone
		r.newest.Store(&bus.Stored{Sequence: m.Sequence, Time: m.Time})
		r.seen.Store(m.Sequence)
	}
	return r.missed.Load() == 0 && m.Delivered == 1, m.Delivered > 1 || m.Sequence <= r.old
}

// beyond is up to where a delivery may have been lost while nobody knows it: above
// all that has come.
const beyond = math.MaxUint64

// miss notes that a delivery up to there may have come to nobody.
func (r *room) miss(upTo uint64) {
	for {
		old := r.missed.Load()
		if upTo <= old || r.missed.CompareAndSwap(old, upTo) {
			return
		}
	}
}
