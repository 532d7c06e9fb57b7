package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

const (
	takeoverWait   = 5 * time.Minute // bound of taking a tenant over
	takeoverAtOnce = 32              // records that are read at once
)

// waitingOrder is an order that waits or has a call open, as an earlier owner left it.
type waitingOrder struct {
	key    orders.ID
	record ledger.Record
	err    error // the record cannot be understood
}

// takeOver reads every order that waits or has a call open, before any order runs. The bills
// of open calls are locked first. An order that only waits is loaded at once, from the record
// that was read; an order that has something to do is woken, and runs once it has a slot.
func (o *owner) takeOver(ctx context.Context) (int, error) {
	waiting, err := o.readWaiting(ctx)
	if err != nil {
		return 0, fmt.Errorf("load waiting orders: %w", err)
	}
	for _, w := range waiting {
		for _, e := range w.record.Effects {
			if e.Bill != nil && (e.State == ledger.Intent || e.State == ledger.InDoubt) {
				o.bills.Lock(*e.Bill, w.key)
			}
		}
	}
	now := time.Now()
	for _, w := range waiting {
		if w.err == nil && !w.record.NeedsRecovery(o.store.History(), o.recheck(w.key.Noun)) && onlyWaits(w.record, now) {
			o.post(w.key, true, load{record: &w.record})
			continue
		}
		o.mu.Lock()
		o.listed[w.key] = true
		o.mu.Unlock()
		o.timers[orders.Queue{Stage: busyStage(w.record), Noun: w.key.Noun}].Set(w.key, now)
	}
	return len(waiting), nil
}

// readWaiting reads the records of all listed orders, in the order of the list.
func (o *owner) readWaiting(ctx context.Context) ([]waitingOrder, error) {
	var out []waitingOrder
	err := o.d.state.Load(ctx, "wait."+o.t.Name, func(e bus.Entry) error {
		k, err := orders.ParseKey(e.Key)
		if err != nil {
			o.log.Error("waiting order not understood", slog.String("key", e.Key), slog.String("cause", err.Error()))
			return nil
		}
		out = append(out, waitingOrder{key: k})
		return nil
	})
	if err != nil {
		return nil, err
	}
	readers, ctx := errgroup.WithContext(ctx)
	readers.SetLimit(takeoverAtOnce)
	for i := range out {
		readers.Go(func() error {
			w := &out[i]
			var err error
			if w.record, err = orders.ReadRecord(ctx, o.d.state, o.t.Name, w.key); errors.Is(err, orders.ErrRecord) {
				w.err, err = err, nil // its order logs that when it is loaded
			}
			return err
		})
	}
	return out, readers.Wait()
}

// onlyWaits reports whether loading the order does nothing but set its timer.
func onlyWaits(r ledger.Record, now time.Time) bool {
	for _, l := range []ledger.Progress{r.Enrich, r.Handle} {
		h := l.Head
		switch {
		case l.Last != nil && !l.Last.Published, h == nil && l.Behind:
			return false
		case h == nil:
		case h.Why == ledger.Held:
			if !h.Posted {
				return false
			}
		case h.Why == ledger.Running, h.Why == ledger.Paused, h.Why == ledger.Denied, !h.Next.After(now):
			return false
		}
	}
	for _, e := range r.Effects {
		if e.State == ledger.Intent || !e.Sweep.IsZero() && !e.Sweep.After(now) {
			return false
		}
	}
	return r.Open()
}

// busyStage is the stage in whose queue the order runs.
func busyStage(r ledger.Record) events.Stage {
	if r.Handle.Head == nil && !r.Handle.Behind && (r.Enrich.Head != nil || r.Enrich.Behind) {
		return events.Enrich
	}
	return events.Handle
}
