package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
)

// intake is the consumer of one queue: it brings messages to their orders. Two goroutines
// work for it: the consumer's calls receive; keep watches and rebuilds the consumer.
type intake struct {
	o     *owner
	queue orders.Queue
	cons  atomic.Pointer[Consumer]
	down  atomic.Pointer[string] // why the consumer is being rebuilt; nil: it runs

	arrivals // of the consumer's goroutine
	standing // of the takeover, then of the goroutine of keep
}

// arrivals are what is known of the deliveries. Only the consumer's goroutine writes them,
// except where the field says otherwise.
type arrivals struct {
	delivery  uint64                     // number of the last delivery; reset while no consumer runs
	begunUpTo uint64                     // earlier consumers may have begun messages up to here; written while none runs
	highest   atomic.Uint64              // highest sequence that was delivered in this epoch
	newest    atomic.Pointer[bus.Stored] // the message of that sequence, without its data: a witness

	// missedUpTo is the sequence up to which a delivery may have been lost on the way, 0 for
	// none. It is redelivered; until then no delivery is vouched for. Either goroutine
	// writes it.
	missedUpTo atomic.Uint64
}

// standing is how far the queue has come, as its checkpoint has it or will have it.
type standing struct {
	start            uint64      // everything below is settled or on record: a consumer begins here
	history          string      // of the store, that the sequences belong to
	recheck          uint64      // messages up to here may have been settled in an earlier history
	rechecking       atomic.Bool // they are still being treated again
	rechecksOnRecord bool        // rechecking, as the checkpoint has it
}

func newIntake(o *owner, k orders.Queue) *intake { return &intake{o: o, queue: k} }

func (r *intake) name(epoch uint64) string {
	return r.queue.Consumer(r.o.t.Name, epoch)
}

// open creates this epoch's consumer.
func (r *intake) open(ctx context.Context) error {
	r.delivery = 0
	r.missedUpTo.Store(0)
	c, err := r.o.d.o.Ports.Inbox.Consume(ctx, bus.ConsumerConfig{
		Stream: orders.StreamOf(r.queue.Stage), Name: r.name(r.o.tenure.Epoch),
		Filters:       events.StageFilters(r.o.t.Name, r.queue.Stage, r.queue.Noun),
		StartSequence: r.start, AckWait: r.o.d.o.AckWait, MaxAckPending: r.o.d.o.MaxHeld, Batch: 2 * r.o.d.o.Concurrency,
		CheckEvery: r.o.d.o.Stalls,
	}, r.receive)
	if err != nil {
		return err
	}
	r.cons.Store(&c)
	return nil
}

// keep rebuilds the consumer when it stalls or is gone; in between it writes down how far
// the consumer has come.
func (r *intake) keep(ctx context.Context) {
	beat := time.NewTicker(r.o.d.o.Stalls)
	defer beat.Stop()
	walked := r.o.rechecked
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-walked:
			walked = nil
			beat.Reset(r.o.d.o.Beat) // the end of the recheck belongs on record soon
			continue
		case <-beat.C:
			beat.Reset(r.o.d.o.Stalls)
			if err := r.refresh(ctx); err != nil && ctx.Err() == nil {
				r.o.log.Debug("consumer not checked", slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.String("cause", err.Error()))
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

// rebuild replaces the consumer, trying until it succeeds. It waits first: a server reports
// a deleted consumer before it removes the directory, which the next consumer of that name
// uses.
func (r *intake) rebuild(ctx context.Context, cause error) {
	why := cause.Error()
	r.down.Store(&why)
	defer r.down.Store(nil)
	log := r.o.log.With(slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.String("cause", cause.Error()))
	if !wait.Until(ctx, time.Now().Add(200*time.Millisecond)) {
		return
	}
	wait.Retry(ctx, 400*time.Millisecond, 5*time.Second, func() bool {
		err := r.reopen(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			log.Warn("consumer rebuilt")
			r.o.d.meters.rebuilt(ctx, r.o.t.Name, r.queue)
		default:
			log.Warn("consumer not rebuilt yet", slog.String("why", err.Error()))
		}
		return err == nil
	})
}

// reopen creates the consumer again, behind what was settled while the old one was sound.
// What the old one delivered may have been begun. A consumer that exists by that name is not
// trusted: another program may have created it, and it may have passed messages over.
func (r *intake) reopen(ctx context.Context) error {
	if err := r.o.tenure.Check(ctx); err != nil {
		return err
	}
	if err := r.o.store.Fits(ctx); err != nil {
		return err
	}
	// The old consumer may still hold a message; two consumers would overtake each other.
	if err := r.close(ctx); err != nil {
		return err
	}
	stream, name := orders.StreamOf(r.queue.Stage), r.name(r.o.tenure.Epoch)
	info, err := r.o.d.o.Ports.Inbox.ConsumerInfo(ctx, stream, name)
	if err == nil {
		err = r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, stream, name)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	r.begunUpTo, r.start = max(r.begunUpTo, r.highest.Load(), info.Delivered), max(r.start, (*r.cons.Load()).Floor()+1)
	if err := r.streamReaches(ctx); err != nil {
		return err
	}
	// A new consumer does not know how far the old one had come.
	if err := r.writeCheckpoint(ctx, r.begunUpTo); err != nil {
		return err
	}
	return r.open(ctx)
}

func (r *intake) close(ctx context.Context) error {
	c := r.cons.Load()
	if c == nil {
		return nil
	}
	return (*c).Stop(ctx)
}

// receive brings one delivery to its order. It blocks while the queue has no free slot, and
// while the bucket of the records has no space.
func (r *intake) receive(m *bus.Delivery) {
	r.o.d.space.Await(r.o.working, r.queue.Stage, r.o.d.o.Beat)
	inOrder, again := r.judge(m)
	route, err := events.ParseRoute(m.Subject)
	if err != nil {
		// The consumer's filters let no such message through.
		r.o.log.Error("message on an unknown subject", slog.String("subject", m.Subject))
		return
	}
	if !r.o.bring(orders.ID{Noun: route.Noun, Key: route.Key}, false, r.queue, delivery{m: m, stage: r.queue.Stage, inOrder: inOrder, again: again}) {
		r.noteMissed(r.highest.Load())
	}
}

// judge says whether a delivery is in order and whether its message may have been begun
// before. It is in order if it is the first delivery of its message and no delivery of the
// consumer was lost before it.
func (r *intake) judge(m *bus.Delivery) (inOrder, again bool) {
	r.delivery++
	if m.Turn != r.delivery {
		r.delivery = m.Turn
		r.noteMissed(beyond)
	}
	if m.Delivered == 1 && r.missedUpTo.Load() == beyond {
		// The lost message was delivered before, or lies below this one. A redelivery
		// proves nothing: new messages may lie between.
		r.missedUpTo.Store(max(r.highest.Load(), m.Sequence-1))
	}
	if m.Sequence > r.highest.Load() { // written here alone
		r.newest.Store(&bus.Stored{Sequence: m.Sequence, Time: m.Time})
		r.highest.Store(m.Sequence)
	}
	return r.missedUpTo.Load() == 0 && m.Delivered == 1, m.Delivered > 1 || m.Sequence <= r.begunUpTo
}

// beyond stands for a lost delivery of which only the next new message tells how far up it
// may lie.
const beyond = math.MaxUint64

// noteMissed notes that a message up to there may have reached no order.
func (r *intake) noteMissed(upTo uint64) {
	for {
		old := r.missedUpTo.Load()
		if upTo <= old || r.missedUpTo.CompareAndSwap(old, upTo) {
			return
		}
	}
}
