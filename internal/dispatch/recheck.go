package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// recheck is the sequence up to which messages of a noun may have been settled in an earlier
// history, for enrich and for handle.
func (o *owner) recheck(n events.Noun) (seqs [2]uint64) {
	for _, r := range o.intakes {
		if r.queue.Noun == n {
			seqs[ledger.Index(r.queue.Stage)] = r.recheck
		}
	}
	return seqs
}

// quietUntil is the time before which no call may be made, since a call of an earlier owner
// may still be running; the zero time if none can be. A lost STATE has lost the earlier
// owners' claims, too, and with them that they were done.
func (o *owner) quietUntil() time.Time {
	var until time.Time
	if !o.tenure.CleanHandover {
		until = o.tenure.QuietUntil
	}
	if o.store.Lost() {
		if t := o.store.Began().Add(o.d.o.Ownership.CallTimeout); t.After(until) {
			until = t
		}
	}
	return until
}

// rechecking reports whether messages from before the history began are still treated again.
func (o *owner) rechecking() bool {
	for _, r := range o.intakes {
		if r.rechecking.Load() {
			return true
		}
	}
	return false
}

// recheckAll loads every order of which a message was stored before the history began; its
// actor takes it up with what the streams tell. It runs beside the new messages.
func (o *owner) recheckAll(ctx context.Context) {
	if !o.rechecking() {
		return
	}
	began, n := time.Now(), 0
	done := map[orders.ID]bool{}
	for _, r := range o.intakes {
		tries := 0
		if !wait.Retry(ctx, 2*time.Second, 64*time.Second, func() bool {
			tries++
			return o.recheckQueue(ctx, r, done, tries == maxRechecks)
		}) {
			return
		}
		n = len(done)
	}
	for _, r := range o.intakes {
		r.rechecking.Store(false) // its next refresh puts that on record
	}
	close(o.rechecked)
	o.log.Info("all stored messages treated again after a loss of the store", slog.String("history", o.store.History()), slog.Int("orders", n), slog.Duration("took", time.Since(began)))
}

// maxRechecks is how often recheckAll tries an order that cannot be loaded. Such an order
// stays shut, and logs that whenever it is loaded.
const maxRechecks = 8

// recheckQueue rechecks the orders of one queue; it is false if it must be repeated. The last
// repetition leaves out the orders that cannot be loaded.
func (o *owner) recheckQueue(ctx context.Context, r *intake, done map[orders.ID]bool, last bool) bool {
	failed := false
	for _, subject := range events.StageFilters(o.t.Name, r.queue.Stage, r.queue.Noun) {
		for from := uint64(1); ; {
			m, err := o.d.o.Ports.Log.Next(ctx, orders.StreamOf(r.queue.Stage), subject, from)
			if errors.Is(err, bus.ErrNotFound) || err == nil && m.Sequence > r.recheck {
				break
			}
			if err != nil {
				o.warnRecheck(ctx, err)
				return false
			}
			from = m.Sequence + 1
			route, err := events.ParseRoute(m.Subject)
			if err != nil {
				continue // no stage reads it
			}
			k := orders.ID{Noun: route.Noun, Key: route.Key}
			if done[k] {
				continue
			}
			loaded := make(chan bool, 1)
			// New messages go first: half of the slots are left to them.
			slots := o.slots[r.queue]
			if !wait.Retry(ctx, o.d.o.Beat/4, o.d.o.Beat/4, func() bool { return len(slots) <= cap(slots)/2 }) {
				return false
			}
			if !o.bring(k, false, r.queue, load{loaded: loaded}) {
				return false
			}
			select {
			case ok := <-loaded:
				if !ok && last {
					o.log.Error("alert", slog.String("why", string(ledger.AlarmStore)), slog.String("order", k.Key), slog.String("text", "its record cannot be loaded"))
					o.d.meters.alert(ctx, o.t.Name, ledger.AlarmStore)
					ok = true
				}
				done[k], failed = ok, failed || !ok
			case <-ctx.Done():
				return false
			}
		}
	}
	return !failed
}

func (o *owner) warnRecheck(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.log.Warn("orders not treated again yet", slog.String("cause", err.Error()))
	}
}

// storeWhy says why it is not known whether the store belongs together, and which tenants of
// this replica are still treated again because it did not; nil for neither.
func (d *Dispatcher) storeWhy() error {
	all := d.watch.Err()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.owners)) {
		if o := d.owners[name]; o.rechecking() {
			all = errors.Join(all, fmt.Errorf("tenant %s: what is stored is looked at again since %s%s; see dispatcher recover",
				name, o.store.Began().Format(time.RFC3339), o.store.LastNote()))
		}
	}
	return all
}
