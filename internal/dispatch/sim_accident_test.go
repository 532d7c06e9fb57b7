package dispatch_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/memory"
)

// accident is what befalls the store of a world, once: it is not any more what the
// processes have made of it. The vendors keep what they have.
type accident struct {
	how    string // removed, restored or cut; "" for none
	stores []string
	cut    int
	copied time.Duration // when the copies were taken that are put back
	alive  bool          // the processes go on
	acts   [][2]int      // what people do before any process is launched again: order and kind
	again  int           // Weiban sends one of so many callbacks once more; 0: none

	copies map[string]memory.Copy
	was    map[string]bus.Identity // right before
	struck time.Time               // zero: not yet
	misfit []string                // streams and buckets that the store's record proves wrong
	made   int                     // handling records that Kingdee held
	known  map[string][]bus.Stored // what the streams held
	seen   map[string]history.Sighting
}

// everything is a whole store.
var everything = []string{bus.Callbacks, bus.Events, bus.Dead, bus.Audit, bus.State, bus.Tables}

// plan draws the accident, in one of six worlds.
func (a *accident) plan(w *world) {
	if !w.one(6) && !w.mistake.accidents {
		return
	}
	at := w.between(30*time.Second, calmAfter-20*time.Second)
	a.stores = []string{everything[w.rng.IntN(len(everything))]}
	switch w.rng.IntN(5) {
	case 0, 1:
		a.how = "removed"
	case 2:
		a.how = "restored"
	case 3:
		a.how, a.stores = "restored", everything
	default:
		a.how, a.stores, a.cut = "cut", everything[w.rng.IntN(3):][:1], 1+w.rng.IntN(4)
	}
	a.alive, a.copied = w.one(4), w.between(0, at)
	if w.one(2) {
		for range 1 + w.rng.IntN(6) {
			a.acts = append(a.acts, [2]int{w.rng.IntN(len(w.people.orders)), w.rng.IntN(6)})
		}
	}
	a.again = w.rng.IntN(4)
	w.at(a.copied, func() {
		synctest.Wait() // what is at work is at an exchange's edge: a copy of nothing half done
		a.copies = map[string]memory.Copy{}
		for _, name := range everything {
			a.copies[name] = w.server.Copy(name)
		}
	})
	w.at(at, func() { w.strike() })
}

// beat is how often a process looks at the store: in most worlds seldom, for speed.
func (a *accident) beat() time.Duration {
	if a.alive {
		return 2 * time.Second
	}
	return time.Minute
}

// hits reports whether something befell a stream or bucket.
func (a *accident) hits(name string) bool { return slices.Contains(a.stores, name) }

// unseen reports whether the accident took only what came since the store was last
// looked at: the bridge looks every two seconds, here more seldom.
func (a *accident) unseen(name string) bool { return a.hits(name) && len(a.misfit) == 0 }

// unclaimed reports whether a claim may have gone with STATE under the owner's hands,
// who believes in it for as long as a lease lives.
func (w *world) unclaimed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := &w.accident
	return a.alive && a.hits(bus.State) && !a.struck.IsZero() && time.Since(a.struck) < simLease
}

// fresh reports whether an event was published to EVENTS since the store was last looked
// at, and is gone: what no stage had begun to read nobody misses.
func (a *accident) fresh(id string) bool {
	return a.hits(bus.Events) && slices.ContainsFunc(a.known[bus.Events], func(m bus.Stored) bool {
		return m.Sequence > a.seen[bus.Events].Last && m.ID() == events.MessageID("acme", id, 0)
	})
}

// after reports whether the accident has struck.
func (w *world) after() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.accident.struck.IsZero()
}

// strike is the accident, and what comes before any process is launched again.
func (w *world) strike() {
	a := &w.accident
	synctest.Wait()
	if !a.alive {
		for slot := range w.slots {
			w.in(slot).die("the store has an accident")
		}
		synctest.Wait()
	}
	w.books.rewind()
	a.note(w)
	a.seen = a.onRecord(w)
	for _, name := range a.stores {
		switch a.how {
		case "removed":
			w.server.Remove(name)
		case "restored":
			w.server.Restore(name, a.copies[name])
		default:
			w.server.Cut(name, a.cut)
		}
	}
	w.mu.Lock()
	a.struck = time.Now()
	w.mu.Unlock()
	w.logf("ACCIDENT: %v %s, cut by %d, copied at %v, processes alive %t", a.stores, a.how, a.cut, a.copied, a.alive)
	a.judge(w)
	if a.hits(bus.State) {
		w.books.hold(false) // an operator's pause may be gone with it
	}
	for _, x := range a.acts {
		if w.people.orders[x[0]] == "" {
			continue
		}
		n, err := w.people.act(x[0], x[1])
		if err != nil {
			w.fail("weiban: %v", err)
		}
		w.people.deliver(n)
	}
	if a.hits(bus.Callbacks) {
		w.people.sendAgain(a.again)
	}
}

// note keeps what the store looks like.
func (a *accident) note(w *world) {
	a.made = len(w.kingdee.Records(""))
	a.was, a.known = map[string]bus.Identity{}, map[string][]bus.Stored{}
	for _, name := range everything {
		id, err := w.server.Identity(context.Background(), name)
		if err != nil {
			w.fail("%v", err)
		}
		a.was[name] = id
		if name != bus.State && name != bus.Tables {
			if a.known[name], err = w.server.Page(context.Background(), name, "", 1, 10_000); err != nil {
				w.fail("%v", err)
			}
		}
	}
}

// onRecord is what the store has on record of itself: of STATE in TABLES.
func (a *accident) onRecord(w *world) map[string]history.Sighting {
	ctx, seen := context.Background(), map[string]history.Sighting{}
	if e, err := w.state.Get(ctx, history.Key); err == nil {
		r, err := history.Decode(e)
		if err != nil {
			w.fail("%v", err)
		}
		seen = maps.Clone(r.Seen)
	}
	if e, err := w.server.Bucket(bus.Tables).Get(ctx, history.Key); err == nil {
		var anchor struct {
			Life     string
			Revision uint64
		}
		if err := json.Unmarshal(e.Value, &anchor); err != nil {
			w.fail("%v", err)
		}
		seen[bus.State] = history.Sighting{Life: anchor.Life, Last: anchor.Revision}
	}
	return seen
}

// judge says what the record proves wrong now. With the whole store it is older itself.
func (a *accident) judge(w *world) {
	if len(a.stores) > 1 || a.alive && a.how != "removed" && !a.hits(bus.Callbacks) && !a.hits(bus.Events) {
		return // who goes on may have written as much again before they look
	}
	name := a.stores[0]
	id, err := w.server.Identity(context.Background(), name)
	if err != nil {
		w.fail("%v", err)
	}
	if s := a.seen[name]; s.Life != "" && (id.Missing || id.Life != s.Life || id.Last < s.Last) {
		a.misfit = append(a.misfit, name)
	}
}

// told: what does not fit was said.
func (a *accident) told(w *world) {
	e, err := w.state.Get(context.Background(), history.Key)
	if err != nil {
		w.fail("%v", err)
		return
	}
	r, err := history.Decode(e)
	if err != nil {
		w.fail("%v", err)
	}
	for _, n := range r.Notes {
		if !n.Mild && !a.hits(n.Store) && !a.hits(bus.State) { // an older STATE looks like a stream that went back
			w.fail("%s is said not to fit, and nothing befell it: %s", n.Store, n.What)
		}
	}
	for _, name := range a.misfit {
		if !slices.ContainsFunc(r.Notes, func(n history.Note) bool { return n.Store == name && !n.Mild }) {
			w.fail("nobody says that %s does not fit: %v", name, r.Notes)
		}
		if !w.books.alarms[name] {
			w.fail("no alarm says that %s does not fit", name)
		}
	}
}

// sendAgain lets Weiban send one of n callbacks once more.
func (p *people) sendAgain(n int) {
	w := p.w
	for _, x := range slices.Clone(p.sent) {
		d := w.dice("again " + x.ID)
		if n == 0 || d.IntN(n) > 0 {
			continue
		}
		rest := time.Duration(d.Int64N(int64(time.Minute)))
		p.coming.Add(1)
		w.acting.Go(func() {
			defer p.coming.Add(-1)
			sleep.For(context.Background(), rest)
			p.deliver(x)
		})
	}
}

// trouble is an error that people meet. While the store is being put in order again
// it is none of the bridge's.
func (w *world) trouble(what string, err error) {
	w.mu.Lock()
	struck := w.accident.struck
	w.mu.Unlock()
	if err != nil && !struck.IsZero() && time.Since(struck) < 10*time.Minute {
		w.logf("%s: %v", what, err)
		return
	}
	if err != nil {
		w.fail("%s: %v", what, err)
	}
}

// untilTaken publishes a callback: what is not accepted comes again.
func (p *people) untilTaken(n fakeweiban.Notice, publish func() error) {
	err := publish()
	if err == nil {
		return
	}
	if !p.w.after() || time.Now().After(p.w.calm.Add(time.Hour)) {
		p.w.fail("callback: %v", err)
		return
	}
	p.w.logf("callback %s is not accepted: %v", n.ID, err)
	p.coming.Add(1)
	p.w.acting.Go(func() {
		defer p.coming.Add(-1)
		sleep.For(context.Background(), 10*time.Second)
		p.untilTaken(n, publish)
	})
}
