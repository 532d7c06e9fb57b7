package history_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/testwing/memory"
)

const silence = 12 * time.Second

var all = []string{bus.Callbacks, bus.Events, bus.Dead, bus.Audit, bus.State, bus.Tables, bus.Tokens}

// world is a store in memory and the keeper of a dispatcher that works with it.
type world struct {
	t      *testing.T
	s      *memory.Server
	k      *history.Keeper
	n      int // published so far
	alerts []history.Note
	copies map[string]memory.Copy
}

// in runs a test on a fake clock, in a store that was worked with: five messages in
// every stream, a copy of all, a minute, five messages more, a look.
func in(t *testing.T, run func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, s: memory.New(), copies: map[string]memory.Copy{}}
		w.start()
		w.publish(5)
		w.look()
		for _, name := range all {
			w.copies[name] = w.s.Copy(name)
		}
		for range 24 {
			wait(5 * time.Second)
			w.beat()
		}
		w.publish(5)
		w.look()
		if len(w.alerts) > 0 {
			t.Fatalf("a sound store: %v", w.alerts)
		}
		run(t, w)
	})
}

// start is a dispatcher that starts: a new keeper and its first look.
func (w *world) start() history.Record {
	w.t.Helper()
	w.k = w.keeper()
	r, err := w.k.Begin(w.t.Context())
	return w.ok(r, err)
}

func (w *world) keeper() *history.Keeper {
	return history.NewKeeper(history.Options{
		Log: w.s, State: w.s.Bucket(bus.State), Tables: w.s.Bucket(bus.Tables), Silence: silence,
		Alert: func(n history.Note) { w.alerts = append(w.alerts, n) }, Logger: slog.New(slog.DiscardHandler),
	})
}

func (w *world) ok(r history.Record, err error) history.Record {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) look() history.Record {
	w.t.Helper()
	r, err := w.k.Examine(w.t.Context())
	return w.ok(r, err)
}

// beat is a lease that is renewed.
func (w *world) beat() {
	w.t.Helper()
	if _, err := w.s.Bucket(bus.State).Put(w.t.Context(), "alive.one", []byte(`{}`)); err != nil {
		w.t.Fatal(err)
	}
}

// publish stores n messages in each stream.
func (w *world) publish(n int) {
	w.t.Helper()
	for range n {
		for _, stream := range []string{bus.Callbacks, bus.Events, bus.Dead, bus.Audit} {
			w.to(stream)
		}
	}
	w.beat()
}

func (w *world) to(stream string) bus.Ack {
	w.t.Helper()
	w.n++
	subject := map[string]string{
		bus.Callbacks: "gongdan.acme.event.weiban.work_order_change.close.7", bus.Events: "gongdan.acme.event.kingdee.handle_order.applied.7",
		bus.Dead: "gongdan.acme.dead.handle.rejected.work_order.7", bus.Audit: "gongdan.acme.audit.dead_discard",
	}[stream]
	ack, err := w.s.Publish(w.t.Context(), bus.Message{Subject: subject, ID: fmt.Sprint("acme/", w.n), Data: []byte(`{}`)})
	if err != nil {
		w.t.Fatal(err)
	}
	return ack
}

func (w *world) restore(names ...string) {
	for _, name := range names {
		w.s.Restore(name, w.copies[name])
	}
}

func (w *world) remove(names ...string) {
	for _, name := range names {
		w.s.Remove(name)
	}
}

func (w *world) drop(stream string, sequences ...uint64) {
	w.t.Helper()
	for _, n := range sequences {
		if err := w.s.Delete(w.t.Context(), stream, n); err != nil {
			w.t.Fatal(err)
		}
	}
}

// An inspection writes nothing and makes nothing.
func TestInspectChangesNothing(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.remove(bus.Events)
		before, _ := w.s.Identity(t.Context(), bus.State)
		have, news, err := w.keeper().Inspect(t.Context())
		if err != nil || len(have.Notes) != 0 || len(news) != 1 || news[0].What != "is not there" {
			t.Fatalf("inspected: %v, %v", news, err)
		}
		after, _ := w.s.Identity(t.Context(), bus.State)
		if id, _ := w.s.Identity(t.Context(), bus.Events); !id.Missing || after.Last != before.Last {
			t.Error("the inspection made the stream, or wrote")
		}
	})
}

// From and Until bound when what is lost was stored.
func TestWhenWhatIsLostWasStored(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		left, err := w.s.Get(t.Context(), bus.Callbacks, 5)
		if err != nil {
			t.Fatal(err)
		}
		w.restore(bus.Callbacks)
		if n := w.look().Notes[0]; !n.From.Equal(left.Time) || !n.Until.Equal(time.Now()) {
			t.Errorf("cut: from %v until %v, want from %v", n.From, n.Until, left.Time)
		}
		w.remove(bus.Callbacks)
		if n := w.look().Notes[1]; !n.From.Equal(time.Now().Add(-30 * 24 * time.Hour)) {
			t.Errorf("removed: from %v, which is not how long the stream keeps messages", n.From)
		}
	})
}

// An older copy of the whole store looks like a long stop: both are told, and what was
// stored before is doubted.
func TestWholeStoreOlder(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.restore(all...)
		r := w.start()
		if len(r.Notes) != 1 || !r.Notes[0].Mild || r.Stale.Callbacks != 5 || r.Stale.Events != 5 || r.History != "" {
			t.Fatalf("record %+v", r)
		}
		if len(r.Open()) != 0 {
			t.Error("a silence is nothing that a person has to look at")
		}
		if again := w.look(); len(again.Notes) != 1 {
			t.Errorf("noted again: %v", again.Notes)
		}
	})
}

// STATE of a version that kept no record of the store is taken as it is.
func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, s: memory.New()}
		w.publish(3)
		if _, err := w.s.Bucket(bus.State).Put(t.Context(), "trail.acme.enrich.work_order", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if r := w.start(); r.History != "" || len(r.Notes) != 0 {
			t.Errorf("record %+v", r)
		}
	})
}

// Whichever keeper is first begins the history; the others find it.
func TestTwoKeepersAtOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.remove(bus.Events)
		var names [8]string
		var wg sync.WaitGroup
		for i := range names {
			k := history.NewKeeper(history.Options{
				Log: w.s, State: w.s.Bucket(bus.State), Tables: w.s.Bucket(bus.Tables), Silence: silence, Alert: func(history.Note) {},
			})
			wg.Go(func() {
				r, err := k.Examine(t.Context())
				if err != nil {
					t.Error(err)
				}
				names[i] = r.History
			})
		}
		wg.Wait()
		r := w.look()
		for _, name := range names {
			if name == "" || name != r.History {
				t.Errorf("histories %q, in the end %q", names, r.History)
			}
		}
		if len(r.Notes) != 1 {
			t.Errorf("noted %q", texts(r.Notes))
		}
	})
}

// What several orders tell of one accident begins one history.
func TestMisfitOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		for range 3 {
			if err := w.k.Misfit(t.Context(), "", bus.Events, "has lost message 7"); err != nil {
				t.Fatal(err)
			}
		}
		r := w.look()
		if r.History == "" || len(r.Notes) != 1 || len(w.alerts) != 1 {
			t.Fatalf("record %+v, told %v", r, w.alerts)
		}
		for i := range 40 {
			if err := w.k.Misfit(t.Context(), w.look().History, bus.Events, fmt.Sprint("has lost message ", i)); err != nil {
				t.Fatal(err)
			}
			wait(time.Second)
		}
		if r := w.look(); len(r.Notes) != 20 || r.Notes[19].What != "has lost message 39" {
			t.Errorf("%d notes, the last %v", len(r.Notes), r.Notes[len(r.Notes)-1])
		}
	})
}

// A person's word marks what is open, and only that; a history that a person begins is
// no alert.
func TestPersons(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.remove(bus.Events)
		w.look()
		if n, err := w.keeper().Acknowledge(t.Context(), "li"); n != 1 || err != nil {
			t.Fatalf("%d acknowledged, %v", n, err)
		}
		if n, err := w.keeper().Acknowledge(t.Context(), "wang"); n != 0 || err != nil {
			t.Fatalf("%d acknowledged again, %v", n, err)
		}
		r := w.look()
		if len(r.Open()) != 0 || r.Notes[0].SeenBy != "li" {
			t.Fatalf("notes %+v", r.Notes)
		}
		name, err := w.keeper().Again(t.Context(), "li", "balance shows two unexplained")
		if err != nil {
			t.Fatal(err)
		}
		told := len(w.alerts)
		if again := w.look(); name == r.History || again.History != name || len(again.Open()) != 0 || len(texts(w.alerts[told:])) != 0 {
			t.Errorf("record %+v, told %v", again, w.alerts[told:])
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, s: memory.New()}
		if _, err := w.keeper().Again(t.Context(), "li", "x"); err == nil {
			t.Error("a history was begun in a store that no dispatcher knows")
		}
	})
}

// wait lets the bubble's time pass.
func wait(d time.Duration) { <-time.After(d) }
