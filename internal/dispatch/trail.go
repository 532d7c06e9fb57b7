package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// fewEpochs is how many consumers are asked for one by one. After more takeovers
// that made none, the server is asked which there are.
const fewEpochs = 16

// succeed finds how far the consumers of earlier epochs have come, and deletes
// them. Which of them may have read on is on record, since a takeover may have
// died half-way; what else that left, owner.tidy finds.
func (r *room) succeed(ctx context.Context) error {
	first, known, err := r.recall(ctx)
	if err != nil {
		return err
	}
	if known && r.history != r.o.store.History || !known && r.o.store.History != "" {
		return r.restart(ctx)
	}
	epochs, err := r.epochs(ctx, first)
	if err != nil {
		return err
	}
	left := epochs[:0]
	for _, epoch := range epochs {
		info, err := r.o.d.o.Ports.Inbox.ConsumerInfo(ctx, streamOf(r.k.stage), r.name(epoch))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		left = append(left, epoch)
		r.start, r.old = max(r.start, info.AckFloor+1), max(r.old, info.Delivered)
	}
	if err := r.reaches(ctx); err != nil {
		return err
	}
	if known && len(left) == 0 {
		// It is gone, and with it how far it had come since it was looked at last.
		u, err := r.o.d.o.Ports.Log.Usage(ctx, streamOf(r.k.stage))
		if err != nil {
			return err
		}
		r.old = max(r.old, u.Last)
	}
	// On record before they go: whoever comes after a death here starts there.
	if err := r.mark(ctx, r.old); err != nil {
		return err
	}
	for _, epoch := range left {
		if err := r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, streamOf(r.k.stage), r.name(epoch)); err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
	}
	return nil
}

// recall takes up the trail of the owners before: the first epoch of which a consumer
// may be left. A tenant without one is new.
func (r *room) recall(ctx context.Context) (first uint64, known bool, err error) {
	t, err := readTrail(ctx, r.o.d.state, r.o.t.Name, r.k)
	if err != nil || t.Epoch == 0 {
		return 1, false, err
	}
	r.start, r.old, r.history, r.recheck = t.Floor+1, t.Delivered, t.History, t.Recheck
	r.rechecks.Store(t.Rechecks)
	return t.Epoch, true, nil
}

// reaches makes sure that the stream holds what the owners before had come to.
func (r *room) reaches(ctx context.Context) error {
	stream := streamOf(r.k.stage)
	u, err := r.o.d.o.Ports.Log.Usage(ctx, stream)
	if err != nil {
		return err
	}
	if top := max(r.start-min(r.start, 1), r.old); top > u.Last {
		return r.o.misfit(ctx, stream, "ends at message "+strconv.FormatUint(u.Last, 10)+", and "+strconv.FormatUint(top, 10)+" had been read")
	}
	if err := r.came(ctx); err != nil {
		return err
	}
	if r.start <= r.recheck+1 {
		return nil // nothing was settled in this history
	}
	return r.settled(ctx, r.start-1)
}

// came makes sure that the last message that came still lies where it lay.
func (r *room) came(ctx context.Context) error {
	m := r.newest.Load()
	if m == nil {
		return nil
	}
	return r.o.witness(ctx, r.k.stage, m.Sequence, m.Time.UnixNano())
}

// settled makes sure that an order knows the last message that was settled: if it does
// not, the stream went back and has another one in its place.
func (r *room) settled(ctx context.Context, seq uint64) error {
	stream := streamOf(r.k.stage)
	m, err := r.o.d.o.Ports.Log.Get(ctx, stream, seq)
	if errors.Is(err, bus.ErrNotFound) {
		return r.o.held(ctx, r.k.stage, seq)
	}
	if err != nil {
		return err
	}
	route, err := events.ParseRoute(m.Subject)
	if err != nil || route.Tenant != r.o.t.Name || route.Noun != r.k.noun {
		return nil // another's: this queue began behind it
	}
	rec, err := readRecord(ctx, r.o.d.state, r.o.t.Name, order{route.Noun, route.Key})
	if errors.Is(err, errRecord) {
		return nil // its order says so when it is loaded
	}
	if err != nil {
		return err
	}
	l := laneOf(rec, r.k.stage)
	if rec.Unknown() {
		worked, err := r.worked(ctx, route.Key)
		if keep := r.o.d.o.KeepSettled; err != nil || worked && keep > 0 && time.Since(m.Time) >= keep {
			return err // its record had its time
		}
		if worked {
			return r.o.misfit(ctx, bus.State, "has lost the record of an order")
		}
	}
	if l.Cursor < seq && !l.Behind {
		return r.o.misfit(ctx, stream, "holds message "+strconv.FormatUint(seq, 10)+" as settled, which its order's record does not know: the stream went back, or STATE did")
	}
	return r.o.witness(ctx, r.k.stage, l.Cursor, l.At)
}

// worked reports whether the streams know work on an order.
func (r *room) worked(ctx context.Context, key string) (bool, error) {
	subject := "gongdan." + events.Token(r.o.t.Name) + ".event.enriched." + string(r.k.noun) + ".*." + events.Token(key)
	if r.k.stage == events.Handle {
		subject = "gongdan." + events.Token(r.o.t.Name) + ".event.kingdee.handle_order.*." + events.Token(key)
	}
	_, err := r.o.d.o.Ports.Log.Next(ctx, bus.Events, subject, 1)
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// restart begins the queue in a new history of the store: what is new is consumed,
// what was stored before is looked at again beside it. No consumer of another history
// is trusted, whatever its epoch.
func (r *room) restart(ctx context.Context) error {
	stream := streamOf(r.k.stage)
	// They go before it is on record that the history has begun: whoever comes after a
	// death here begins it once more.
	followers, err := r.o.d.o.Ports.Inbox.Followers(ctx, stream)
	if err != nil {
		return err
	}
	for _, f := range followers {
		if epochOf(f.Name, r.k, r.o.t.Name) == 0 {
			continue
		}
		if err := r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, stream, f.Name); err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
	}
	// Owners before have stopped: what they have published counts as well.
	u, err := r.o.d.o.Ports.Log.Usage(ctx, stream)
	if err != nil {
		return err
	}
	r.start, r.old, r.history, r.recheck = u.Last+1, u.Last, r.o.store.History, u.Last
	r.rechecks.Store(true)
	return r.mark(ctx, r.old)
}

// epochs are those before ours of which a consumer may be left.
func (r *room) epochs(ctx context.Context, first uint64) ([]uint64, error) {
	var out []uint64
	if r.o.tenure.Epoch-min(first, r.o.tenure.Epoch) <= fewEpochs {
		for epoch := first; epoch < r.o.tenure.Epoch; epoch++ {
			out = append(out, epoch)
		}
		return out, nil
	}
	followers, err := r.o.d.o.Ports.Inbox.Followers(ctx, streamOf(r.k.stage))
	if err != nil {
		return nil, err
	}
	for _, f := range followers {
		if epoch := epochOf(f.Name, r.k, r.o.t.Name); epoch > 0 && epoch < r.o.tenure.Epoch {
			out = append(out, epoch)
		}
	}
	return out, nil
}

// mark puts on record what a consumer that comes after this one begins behind, and
// up to where messages were delivered.
func (r *room) mark(ctx context.Context, delivered uint64) error {
	m := trailMark{
		Epoch: r.o.tenure.Epoch, History: r.history, Recheck: r.recheck, Rechecks: r.rechecks.Load(), Floor: max(r.start, 1) - 1, Delivered: delivered,
	}
	_, err := r.o.d.state.PutFenced(ctx, trailKey(r.o.t.Name, r.k), m.encode(), r.o.tenure.Fence)
	if err == nil {
		r.marked = m.Rechecks
	}
	return err
}

// look keeps on record how far the consumer has come. What it has settled need
// never be read again, should it be gone; and once all is settled up to where a
// delivery was lost, what comes in order is in order again.
func (r *room) look(ctx context.Context) error {
	if err := r.came(ctx); err != nil {
		return err
	}
	floor := (*r.cons.Load()).Floor()
	if missed := r.missed.Load(); r.heal(missed, floor) {
		r.o.log.Info("order vouched for again", slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.Uint64("sequence", missed))
	}
	if floor < r.start && r.rechecks.Load() == r.marked {
		return nil
	}
	r.start = max(r.start, floor+1)
	return r.mark(ctx, r.old)
}

// heal ends a doubt about what was lost on the way.
func (r *room) heal(missed, floor uint64) bool {
	return missed > 0 && floor >= missed && r.missed.CompareAndSwap(missed, 0)
}

// readTrail is what the last takeover of a desk left; nothing, if none was.
func readTrail(ctx context.Context, state Records, tenant string, k desk) (trailMark, error) {
	e, err := state.Get(ctx, trailKey(tenant, k))
	if errors.Is(err, bus.ErrNotFound) {
		return trailMark{}, nil
	}
	if err != nil {
		return trailMark{}, err
	}
	m, err := decodeTrail(e.Value)
	if err != nil {
		return trailMark{}, fmt.Errorf("consumer trail %s: %w", e.Key, err)
	}
	return m, nil
}
