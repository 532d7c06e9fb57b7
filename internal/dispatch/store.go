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
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/sleep"
)

func (d *Dispatcher) newKeeper() *history.Keeper {
	p := d.o.Ports.Store
	return history.NewKeeper(history.Options{
		Log: p.Log, State: p.State, Tables: p.Tables, Silence: d.o.Ownership.Expire,
		Alert: func(n history.Note) {
			if n.Mild {
				d.o.Logger.Info("store", slog.String("text", n.String()), slog.Time("from", n.From))
				return
			}
			d.meters.alert(context.Background(), "", ledger.AlarmStore)
			d.o.Logger.Error("alert", slog.String("why", string(ledger.AlarmStore)), slog.String("store", n.Store), slog.String("text", n.String()))
		},
	})
}

// beginStore looks at the store before anything is written to it, as often as it takes.
func (d *Dispatcher) beginStore(ctx context.Context) error {
	for {
		_, err := d.keeper.Begin(ctx)
		if err == nil || ctx.Err() != nil {
			d.unseen.Store(nil)
			return context.Cause(ctx)
		}
		d.unseen.Store(&err)
		d.o.Logger.Warn("store not looked at yet", slog.String("cause", err.Error()))
		sleep.For(ctx, time.Second)
	}
}

// watchStore ends the tenures of a history that is over; each tenant is then taken
// again, in the new one.
func (d *Dispatcher) watchStore(ctx context.Context) {
	beat := time.NewTicker(d.o.StoreBeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		r, err := d.keeper.Glance(ctx)
		if err != nil {
			if ctx.Err() == nil {
				d.unseen.Store(&err)
				d.o.Logger.Warn("store not looked at", slog.String("cause", err.Error()))
			}
			continue
		}
		d.unseen.Store(nil)
		d.mu.Lock()
		for _, o := range d.owners {
			if o.store.History != r.History {
				o.tenure.Lost()
			}
		}
		d.mu.Unlock()
	}
}

// fits makes sure that the store is still that of the owner's history.
func (o *owner) fits(ctx context.Context) error {
	r, err := o.d.keeper.Examine(ctx)
	if err != nil {
		return err
	}
	if r.History != o.store.History {
		o.tenure.Lost()
		return ownership.ErrLost
	}
	return nil
}

// recheck is up to where messages of a noun may have been settled in a history
// before, of enrich and of handle.
func (o *owner) recheck(n events.Noun) (seqs [2]uint64) {
	for _, r := range o.rooms {
		if r.k.Noun == n {
			seqs[ledger.Index(r.k.Stage)] = r.recheck
		}
	}
	return seqs
}

func (o *owner) doubtful() ledger.Doubtful {
	at := func(m history.Moment) ledger.Moments {
		return ledger.Moments{Callbacks: m.Callbacks, Events: m.Events, Time: m.Time}
	}
	return ledger.Doubtful{Stale: at(o.store.Stale), Lost: at(o.store.Lost)}
}

func (o *owner) lost() bool { return !o.store.Lost.Time.IsZero() }

// quietUntil is before when no call may be made, since one of an owner before may
// still be running; the zero time if none can be. With the claims of the owners
// before, a lost STATE takes also the word that they were done.
func (o *owner) quietUntil() time.Time {
	var until time.Time
	if !o.tenure.CleanHandover {
		until = o.tenure.QuietUntil
	}
	if o.lost() {
		if t := o.store.Began.Add(o.d.o.Ownership.CallTimeout); t.After(until) {
			until = t
		}
	}
	return until
}

// rechecking reports whether messages of before the history began are still looked at.
func (o *owner) rechecking() bool {
	for _, r := range o.rooms {
		if r.rechecks.Load() {
			return true
		}
	}
	return false
}

// walk brings every order of which something was stored before the history began to
// its actor, which takes it up with what the streams tell. It runs beside what is new.
func (o *owner) walk(ctx context.Context) {
	if !o.rechecking() {
		return
	}
	began, n := time.Now(), 0
	done := map[orders.ID]bool{}
	for _, r := range o.rooms {
		for tries := 1; !o.walkQueue(ctx, r, done, tries == maxWalks); tries++ {
			if !sleep.For(ctx, time.Second<<min(tries, 6)) {
				return
			}
		}
		n = len(done)
	}
	for _, r := range o.rooms {
		r.rechecks.Store(false) // its next look puts that on record
	}
	close(o.walked)
	o.log.Info("all orders looked at again", slog.String("history", o.store.History), slog.Int("orders", n), slog.Duration("took", time.Since(began)))
}

// maxWalks is how often an order that cannot be taken up is tried again by the walk. It
// stays shut, and says so itself whenever it is loaded.
const maxWalks = 8

// walkQueue is false where it must be done once more. The last one leaves the orders out
// that cannot be taken up.
func (o *owner) walkQueue(ctx context.Context, r *room, done map[orders.ID]bool, last bool) bool {
	failed := false
	for _, subject := range events.StageFilters(o.t.Name, r.k.Stage, r.k.Noun) {
		for from := uint64(1); ; {
			m, err := o.d.o.Ports.Log.Next(ctx, orders.StreamOf(r.k.Stage), subject, from)
			if errors.Is(err, bus.ErrNotFound) || err == nil && m.Sequence > r.recheck {
				break
			}
			if err != nil {
				o.warnWalk(ctx, err)
				return false
			}
			from = m.Sequence + 1
			route, err := events.ParseRoute(m.Subject)
			if err != nil {
				continue // no stage reads it either
			}
			k := orders.ID{Noun: route.Noun, Key: route.Key}
			if done[k] {
				continue
			}
			loaded := make(chan bool, 1)
			// What is new goes first: half of the places are left to it.
			for places := o.desks[r.k]; len(places) > cap(places)/2; {
				if !sleep.For(ctx, o.d.o.Beat/4) {
					return false
				}
			}
			if !o.bring(k, false, r.k, nudge{loaded: loaded}) {
				return false
			}
			select {
			case ok := <-loaded:
				if !ok && last {
					o.log.Error("alert", slog.String("why", string(ledger.AlarmStore)), slog.String("order", k.Key), slog.String("text", "its record cannot be taken up"))
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

func (o *owner) warnWalk(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.log.Warn("orders not looked at again yet", slog.String("cause", err.Error()))
	}
}

// errUnseen is why a dispatcher that has just begun is not ready.
var errUnseen = errors.New("the store has not been looked at yet")

// storeWhy says why it is not known that the store belongs together, or which tenants
// of this replica are still looked at again since it did not; nil otherwise.
func (d *Dispatcher) storeWhy() error {
	var all error
	if unseen := d.unseen.Load(); unseen != nil {
		all = *unseen
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.owners)) {
		if o := d.owners[name]; o.rechecking() {
			all = errors.Join(all, fmt.Errorf("tenant %s: what is stored is looked at again since %s%s; see dispatcher recover",
				name, o.store.Began.Format(time.RFC3339), lastNote(o.store)))
		}
	}
	return all
}

// lastNote is what did not fit last, as the end of a sentence.
func lastNote(r history.Record) string {
	if open := r.Open(); len(open) > 0 {
		n := open[len(open)-1]
		return ": " + n.Store + " " + n.What
	}
	return ""
}
