package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
)

// fewEpochs is how many consumers of earlier epochs are asked for one by one. Where there may
// be more, the server is asked for a list.
const fewEpochs = 16

// takeOver finds how far the consumers of earlier epochs have come, and deletes them. The
// checkpoint says from which epoch on one may be left, since a takeover may have died
// half-way. Consumers that it does not find are left to owner.deleteLeftConsumers.
func (r *intake) takeOver(ctx context.Context) error {
	first, known, err := r.readCheckpoint(ctx)
	if err != nil {
		return err
	}
	if known && r.history != r.o.store.History() || !known && r.o.store.History() != "" {
		return r.beginHistory(ctx)
	}
	epochs, err := r.epochs(ctx, first)
	if err != nil {
		return err
	}
	left := epochs[:0]
	for _, epoch := range epochs {
		info, err := r.o.d.o.Ports.Inbox.ConsumerInfo(ctx, orders.StreamOf(r.queue.Stage), r.name(epoch))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		left = append(left, epoch)
		r.start, r.begunUpTo = max(r.start, info.AckFloor+1), max(r.begunUpTo, info.Delivered)
	}
	if err := r.streamReaches(ctx); err != nil {
		return err
	}
	if known && len(left) == 0 {
		// The consumer is gone, and how far it had come since its last checkpoint is unknown.
		u, err := r.o.d.o.Ports.Log.Usage(ctx, orders.StreamOf(r.queue.Stage))
		if err != nil {
			return err
		}
		r.begunUpTo = max(r.begunUpTo, u.Last)
	}
	// On record before they are deleted: an owner that follows a death here starts there.
	if err := r.writeCheckpoint(ctx, r.begunUpTo); err != nil {
		return err
	}
	for _, epoch := range left {
		if err := r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, orders.StreamOf(r.queue.Stage), r.name(epoch)); err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
	}
	return nil
}

// readCheckpoint takes over the checkpoint of the last owner, and returns the first epoch of
// which a consumer may be left. A queue without a checkpoint is new.
func (r *intake) readCheckpoint(ctx context.Context) (first uint64, known bool, err error) {
	t, err := orders.ReadCheckpoint(ctx, r.o.d.state, r.o.t.Name, r.queue)
	if err != nil || t.Epoch == 0 {
		return 1, false, err
	}
	r.start, r.begunUpTo, r.history, r.recheck = t.Floor+1, t.Delivered, t.History, t.Recheck
	r.rechecking.Store(t.Rechecks)
	return t.Epoch, true, nil
}

// streamReaches makes sure that the stream reaches as far as the earlier owners had read.
func (r *intake) streamReaches(ctx context.Context) error {
	stream := orders.StreamOf(r.queue.Stage)
	u, err := r.o.d.o.Ports.Log.Usage(ctx, stream)
	if err != nil {
		return err
	}
	if top := max(r.start-min(r.start, 1), r.begunUpTo); top > u.Last {
		return r.o.store.Misfit(ctx, stream, "ends at message "+strconv.FormatUint(u.Last, 10)+", and "+strconv.FormatUint(top, 10)+" had been read")
	}
	if err := r.newestLies(ctx); err != nil {
		return err
	}
	if r.start <= r.recheck+1 {
		return nil // nothing was settled in this history
	}
	return r.settledKnown(ctx, r.start-1)
}

// newestLies makes sure that the stream still holds the newest delivered message.
func (r *intake) newestLies(ctx context.Context) error {
	m := r.newest.Load()
	if m == nil {
		return nil
	}
	return r.o.store.Message(ctx, r.queue.Stage, m.Sequence, m.Time.UnixNano())
}

// settledKnown makes sure that the record of an order names the last settled message. If it
// does not, the stream went back and has another message in its place.
func (r *intake) settledKnown(ctx context.Context, seq uint64) error {
	stream := orders.StreamOf(r.queue.Stage)
	m, err := r.o.d.o.Ports.Log.Get(ctx, stream, seq)
	if errors.Is(err, bus.ErrNotFound) {
		return r.o.store.Held(ctx, r.queue.Stage, seq)
	}
	if err != nil {
		return err
	}
	route, err := events.ParseRoute(m.Subject)
	if err != nil || route.Tenant != r.o.t.Name || route.Noun != r.queue.Noun {
		return nil // of another queue: this queue began behind it
	}
	rec, err := orders.ReadRecord(ctx, r.o.d.state, r.o.t.Name, orders.ID{Noun: route.Noun, Key: route.Key})
	if errors.Is(err, orders.ErrRecord) {
		return nil // its order says so when it is loaded
	}
	if err != nil {
		return err
	}
	l := rec.Progress(r.queue.Stage)
	if rec.Unknown() {
		worked, err := r.worked(ctx, route.Key)
		if keep := r.o.d.o.KeepSettled; err != nil || worked && keep > 0 && time.Since(m.Time) >= keep {
			return err // its record has expired
		}
		if worked {
			return r.o.store.Misfit(ctx, bus.State, "has lost the record of an order")
		}
	}
	if l.Cursor < seq && !l.Behind {
		return r.o.store.Misfit(ctx, stream, "holds message "+strconv.FormatUint(seq, 10)+" as settled, which its order's record does not know: the stream went back, or STATE did")
	}
	return r.o.store.Message(ctx, r.queue.Stage, l.Cursor, l.At)
}

// worked reports whether the streams hold an event that work on an order made.
func (r *intake) worked(ctx context.Context, key string) (bool, error) {
	subject := "gongdan." + events.Token(r.o.t.Name) + ".event.enriched." + string(r.queue.Noun) + ".*." + events.Token(key)
	if r.queue.Stage == events.Handle {
		subject = "gongdan." + events.Token(r.o.t.Name) + ".event.kingdee.handle_order.*." + events.Token(key)
	}
	_, err := r.o.d.o.Ports.Log.Next(ctx, bus.Events, subject, 1)
	if errors.Is(err, bus.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// beginHistory begins the queue in a new history of the store. New messages are consumed;
// beside that, what was stored before is treated again. No consumer of another history is
// trusted, whatever its epoch.
func (r *intake) beginHistory(ctx context.Context) error {
	stream := orders.StreamOf(r.queue.Stage)
	// They are deleted before the checkpoint names the history: an owner that follows a
	// death here begins it once more.
	followers, err := r.o.d.o.Ports.Inbox.Followers(ctx, stream)
	if err != nil {
		return err
	}
	for _, f := range followers {
		if r.queue.EpochOf(f.Name, r.o.t.Name) == 0 {
			continue
		}
		if err := r.o.d.o.Ports.Inbox.DeleteConsumer(ctx, stream, f.Name); err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
	}
	// The earlier owners have stopped: what they have published counts, too.
	u, err := r.o.d.o.Ports.Log.Usage(ctx, stream)
	if err != nil {
		return err
	}
	r.start, r.begunUpTo, r.history, r.recheck = u.Last+1, u.Last, r.o.store.History(), u.Last
	r.rechecking.Store(true)
	return r.writeCheckpoint(ctx, r.begunUpTo)
}

// epochs are the earlier epochs of which a consumer may be left.
func (r *intake) epochs(ctx context.Context, first uint64) ([]uint64, error) {
	var out []uint64
	if r.o.tenure.Epoch-min(first, r.o.tenure.Epoch) <= fewEpochs {
		for epoch := first; epoch < r.o.tenure.Epoch; epoch++ {
			out = append(out, epoch)
		}
		return out, nil
	}
	followers, err := r.o.d.o.Ports.Inbox.Followers(ctx, orders.StreamOf(r.queue.Stage))
	if err != nil {
		return nil, err
	}
	for _, f := range followers {
		if epoch := r.queue.EpochOf(f.Name, r.o.t.Name); epoch > 0 && epoch < r.o.tenure.Epoch {
			out = append(out, epoch)
		}
	}
	return out, nil
}

// writeCheckpoint puts on record where the next consumer begins, and up to where messages
// were delivered.
func (r *intake) writeCheckpoint(ctx context.Context, delivered uint64) error {
	m := orders.Checkpoint{
		Epoch: r.o.tenure.Epoch, History: r.history, Recheck: r.recheck, Rechecks: r.rechecking.Load(), Floor: max(r.start, 1) - 1, Delivered: delivered,
	}
	_, err := r.o.d.state.PutFenced(ctx, orders.CheckpointKey(r.o.t.Name, r.queue), m.Encode(), r.o.tenure.Fence)
	if err == nil {
		r.rechecksOnRecord = m.Rechecks
	}
	return err
}

// refresh puts on record how far the consumer has come, so that another one need not read
// that again. Once all is settled up to where a delivery was lost, deliveries are vouched
// for again.
func (r *intake) refresh(ctx context.Context) error {
	if err := r.newestLies(ctx); err != nil {
		return err
	}
	floor := (*r.cons.Load()).Floor()
	if missed := r.missedUpTo.Load(); r.heal(missed, floor) {
		r.o.log.Info("deliveries in order again", slog.String("consumer", r.name(r.o.tenure.Epoch)), slog.Uint64("sequence", missed))
	}
	if floor < r.start && r.rechecking.Load() == r.rechecksOnRecord {
		return nil
	}
	r.start = max(r.start, floor+1)
	return r.writeCheckpoint(ctx, r.begunUpTo)
}

// heal ends the doubt about a lost delivery once everything up to it is settled.
func (r *intake) heal(missed, floor uint64) bool {
	return missed > 0 && floor >= missed && r.missedUpTo.CompareAndSwap(missed, 0)
}
