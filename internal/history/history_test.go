package history_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/bus/memory"
	"gongdan-bridge/internal/history"
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
			time.Sleep(5 * time.Second)
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

var tenth = []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}

// accidents are what can befall a store of which ten messages of every stream were
// seen and five of them were copied.
var accidents = []struct {
	name  string
	do    func(w *world)
	notes []string // what is noted; nothing where the store fits
	knows []string // what a dispatcher notes that saw the store before, where that is more
	begun bool     // a new history begins
	lost  bool     // records are known to be gone
}{
	{name: "nothing", do: func(*world) {}},
	{name: "more comes", do: func(w *world) { w.publish(3) }},
	{name: "CALLBACKS removed", do: func(w *world) { w.remove(bus.Callbacks) }, notes: []string{"CALLBACKS was removed and made again"}, begun: true},
	{name: "EVENTS removed", do: func(w *world) { w.remove(bus.Events) }, notes: []string{"EVENTS was removed and made again"}, begun: true},
	{name: "DEAD removed", do: func(w *world) { w.remove(bus.Dead) }, notes: []string{"DEAD was removed and made again"}, begun: true},
	{name: "AUDIT removed", do: func(w *world) { w.remove(bus.Audit) }, notes: []string{"AUDIT was removed and made again"}},
	{name: "TABLES removed", do: func(w *world) { w.remove(bus.Tables) }, notes: []string{"TABLES was removed and made again"}},
	{name: "TOKENS removed", do: func(w *world) { w.remove(bus.Tokens) }, notes: []string{"TOKENS was removed and made again"}},
	{name: "STATE removed", do: func(w *world) { w.remove(bus.State) }, notes: []string{"STATE was removed and made again"}, begun: true, lost: true},
	{
		name: "CALLBACKS removed, and outgrown since",
		do: func(w *world) {
			w.remove(bus.Callbacks)
			if _, err := w.s.Mend(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			w.publish(20)
		},
		notes: []string{"CALLBACKS was removed and made again"}, begun: true,
	},
	{
		name: "CALLBACKS and EVENTS removed", do: func(w *world) { w.remove(bus.Callbacks, bus.Events) },
		notes: []string{"CALLBACKS was removed and made again", "EVENTS was removed and made again"}, begun: true,
	},
	{name: "CALLBACKS older", do: func(w *world) { w.restore(bus.Callbacks) }, notes: []string{"CALLBACKS went back from message 10 to 5"}, begun: true},
	{
		name: "CALLBACKS older, and outgrown since", do: func(w *world) { w.restore(bus.Callbacks); w.publish(20) },
		notes: []string{"CALLBACKS went back behind message 10 and was written on"}, begun: true,
	},
	{name: "CALLBACKS older, and as long as it was", do: func(w *world) { w.restore(bus.Callbacks); w.publish(5) }, notes: []string{"CALLBACKS went back behind message 10 and was written on"}, begun: true},
	{name: "EVENTS older", do: func(w *world) { w.restore(bus.Events) }, notes: []string{"EVENTS went back from message 10 to 5"}, begun: true},
	{name: "DEAD older", do: func(w *world) { w.restore(bus.Dead) }, notes: []string{"DEAD went back from message 10 to 5"}, begun: true},
	{name: "STATE older", do: func(w *world) { w.restore(bus.State) }, notes: []string{"STATE went back from revision 29 to 3"}, begun: true, lost: true},
	{
		name: "STATE and TABLES older, EVENTS not", do: func(w *world) { w.restore(bus.State, bus.Tables) },
		notes: []string{"STATE is older than the outcomes in EVENTS"}, begun: true, lost: true,
	},
	{
		name: "STATE and TABLES removed", do: func(w *world) { w.remove(bus.State, bus.Tables) },
		notes: []string{"STATE is empty, though EVENTS knows of work"}, begun: true, lost: true,
		knows: []string{"STATE has lost the record of the store", "TABLES was removed and made again"},
	},
	{
		name: "all but CALLBACKS removed", do: func(w *world) { w.remove(bus.State, bus.Tables, bus.Events, bus.Dead, bus.Audit) },
		notes: []string{"STATE is empty and younger than CALLBACKS"}, begun: true, lost: true,
		knows: []string{
			"STATE has lost the record of the store", "EVENTS was removed and made again", "DEAD was removed and made again",
			"AUDIT was removed and made again", "TABLES was removed and made again",
		},
	},
	{name: "its newest messages cut, its state kept", do: func(w *world) { w.drop(bus.Callbacks, 6, 7, 8, 9, 10) }, notes: []string{"CALLBACKS has lost messages, number 10 among them"}, begun: true},
	{name: "all messages cut, its state kept", do: func(w *world) { w.drop(bus.Events, tenth...) }, notes: []string{"EVENTS has lost messages, number 10 among them"}, begun: true},
	{name: "the newest letter closed", do: func(w *world) { w.drop(bus.Dead, 10) }},
	{
		name: "all trimmed by the bridge",
		do: func(w *world) {
			if err := w.k.Trimming(w.t.Context(), bus.Events, 11); err != nil {
				w.t.Fatal(err)
			}
			w.drop(bus.Events, tenth...)
		},
	},
	{
		name: "trimmed further than was said",
		do: func(w *world) {
			if err := w.k.Trimming(w.t.Context(), bus.Events, 10); err != nil {
				w.t.Fatal(err)
			}
			w.drop(bus.Events, tenth...)
		},
		notes: []string{"EVENTS has lost messages, number 10 among them"}, begun: true,
	},
	{
		name: "all over age",
		do: func(w *world) {
			time.Sleep(31 * 24 * time.Hour)
			w.drop(bus.Callbacks, tenth...)
			w.drop(bus.Events, tenth...)
			w.beat()
		},
	},
}

func texts(notes []history.Note) (out []string) {
	for _, n := range notes {
		if !n.Mild {
			out = append(out, n.Store+" "+n.What)
		}
	}
	return out
}

// Every accident is noticed by the next look, whether the dispatcher runs on or starts
// again, and said beforehand by one that only inspects; it is noticed once.
func TestAccidents(t *testing.T) {
	for _, tt := range accidents {
		for how, look := range map[string]func(*world) history.Record{"running": (*world).look, "started": (*world).start} {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				in(t, func(t *testing.T, w *world) {
					before, want := w.look(), tt.notes
					tt.do(w)
					if how == "running" && tt.knows != nil {
						want = tt.knows
					}
					if how == "started" {
						_, news, err := w.keeper().Inspect(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if said := texts(news); len(said) != len(want) {
							t.Errorf("inspected: %q, want %q", said, want)
						}
					}
					r := look(w)
					if said := texts(r.Notes); !slices.Equal(said, want) {
						t.Errorf("noted %q, want %q", said, want)
					}
					if said := texts(w.alerts); !slices.Equal(said, want) {
						t.Errorf("told %q, want %q", said, want)
					}
					if begun := r.History != before.History; begun != tt.begun {
						t.Errorf("a new history began: %t", begun)
					}
					if lost := !r.Lost.Time.IsZero(); lost != tt.lost {
						t.Errorf("records are lost: %t", lost)
					}
					again := w.look()
					if again.History != r.History || len(again.Notes) != len(r.Notes) {
						t.Errorf("the next look began history %q and noted %q", again.History, texts(again.Notes))
					}
				})
			})
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
			time.Sleep(time.Second)
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
		told := len(w.alerts)
		name, err := w.keeper().Again(t.Context(), "li", "balance shows two unexplained")
		if err != nil {
			t.Fatal(err)
		}
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
