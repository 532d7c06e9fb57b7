package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// room is the consumer of one desk: it brings messages to their orders.
type room struct {
	o     *owner
	k     desk
	cons  atomic.Pointer[Consumer]
	start uint64 // first sequence for this epoch's consumer
	old   uint64 // up to here owners before may have begun messages
	turn  uint64 // of the last delivery
	seen  uint64 // highest sequence that came in this epoch
	gap   bool   // a delivery was lost on the way: order is no longer vouched for
}

func newRoom(o *owner, k desk) *room { return &room{o: o, k: k} }

func streamOf(s events.Stage) string {
	if s == events.Enrich {
		return "CALLBACKS"
	}
	return "EVENTS"
}

func (r *room) name(epoch uint64) string {
	return consumerName(r.k, r.o.t.Name, epoch)
}

// succeed finds how far the consumers of earlier epochs have come, and deletes
// them. Which of them there are is on record, since a takeover may have died
// half-way.
func (r *room) succeed(ctx context.Context) error {
	stream, trail := streamOf(r.k.stage), r.trailKey()
	first := uint64(1)
	e, err := r.o.d.state.Get(ctx, trail)
	switch {
	case err == nil:
		var t trailMark
		if t, err = decodeTrail(e.Value); err != nil {
			return fmt.Errorf("consumer trail %s: %w", trail, err)
		}
		first, r.start, r.old = t.Epoch, t.Floor+1, t.Delivered
	case !errors.Is(err, bus.ErrNotFound):
		return err
	}
	for epoch := first; epoch < r.o.tenure.Epoch; epoch++ {
		info, err := r.o.d.o.Ports.Inbox.ConsumerInfo(ctx, stream, r.name(epoch))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		r.start, r.old = max(r.start, info.AckFloor+1), max(r.old, info.Delivered)
	}
	// On record before they go: whoever comes after a death here starts there.
	mark := trailMark{Epoch: r.o.tenure.Epoch, Floor: max(r.start, 1) - 1, Delivered: r.old}
	if _, err := r.o.d.state.PutFenced(ctx, trail, mark.encode(), r.o.tenure.Fence); err != nil {
		return err
	}
	for epoch := first; epoch < r.o.tenure.Epoch; epoch++ {
		if err := r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, stream, r.name(epoch)); err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
	}
	return nil
}

// open makes this epoch's consumer.
func (r *room) open(ctx context.Context) error {
	r.turn, r.gap = 0, false
	c, err := r.o.d.o.Ports.Inbox.Consume(ctx, bus.ConsumerConfig{
		Stream: streamOf(r.k.stage), Name: r.name(r.o.tenure.Epoch),
		Filters:       events.StageFilters(r.o.t.Name, r.k.stage, r.k.noun),
		StartSequence: r.start, AckWait: r.o.d.o.AckWait, MaxAckPending: r.o.d.o.MaxHeld, Batch: 2 * r.o.d.o.Concurrency,
		Look: r.o.d.o.Stalls,
	}, r.take)
	if err != nil {
		return err
	}
	r.cons.Store(&c)
	return nil
}

// keep makes the consumer anew when it stalls or is gone, and says so.
func (r *room) keep(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case err, failed := <-(*r.cons.Load()).Err():
			if ctx.Err() != nil || !failed {
				return
			}
			r.o.log.Warn("consumer rebuilt", slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.String("cause", err.Error()))
			r.o.d.meters.rebuilt(ctx, r.o.t.Name, r.k)
		}
		r.rebuild(ctx)
	}
}

func (r *room) rebuild(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := r.reopen(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.o.log.Warn("consumer not rebuilt", slog.String("cause", err.Error()))
		pause(ctx, wait)
	}
}

// reopen starts behind what was settled while the consumer was sound; what was
// delivered before may have been begun by us. Whatever is there by its name is
// not trusted: somebody may have made it, and it may have passed messages over.
func (r *room) reopen(ctx context.Context) error {
	if err := r.o.tenure.Check(ctx); err != nil {
		return err
	}
	// It may have a message in hand still; two of them would overtake each other.
	if err := r.close(ctx); err != nil {
		return err
	}
	stream, name := streamOf(r.k.stage), r.name(r.o.tenure.Epoch)
	info, err := r.o.d.o.Ports.Inbox.ConsumerInfo(ctx, stream, name)
	if err == nil {
		err = r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, stream, name)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	r.old, r.start = max(r.old, r.seen, info.Delivered), max(r.start, (*r.cons.Load()).Floor()+1)
	return r.open(ctx)
}

func (r *room) close(ctx context.Context) error {
	c := r.cons.Load()
	if c == nil {
		return nil
	}
	return (*c).Stop(ctx)
}

// take brings one delivery to its order; it blocks while the desk is full.
func (r *room) take(m *bus.Delivery) {
	if r.turn++; m.Turn != r.turn || m.Delivered > 1 {
		r.gap = r.gap || m.Turn != r.turn
		r.turn = m.Turn
	}
	route, err := events.ParseRoute(m.Subject)
	if err != nil {
		// The consumer's filters let nothing else through.
		r.o.log.Error("message on an unknown subject", slog.String("subject", m.Subject))
		return
	}
	r.seen = max(r.seen, m.Sequence)
	taken := r.o.bring(order{route.Noun, route.Key}, false, r.k, delivery{
		m: m, stage: r.k.stage, inOrder: !r.gap && m.Delivered == 1, again: m.Delivered > 1 || m.Sequence <= r.old,
	})
	r.gap = r.gap || !taken
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
