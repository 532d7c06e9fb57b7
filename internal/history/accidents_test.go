package history_test

import (
	"slices"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
)

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
	{name: "AUDIT removed", do: func(w *world) { w.remove(bus.Audit) }, notes: []string{"AUDIT was removed and made again"}, begun: true},
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
		knows: []string{"STATE went back from revision 29 to 3"},
	},
	{
		name: "STATE and TABLES removed", do: func(w *world) { w.remove(bus.State, bus.Tables) },
		notes: []string{"STATE is empty, though EVENTS knows of work"}, begun: true, lost: true,
		knows: []string{"STATE was removed and made again", "TABLES was removed and made again"},
	},
	{
		name: "all but CALLBACKS removed", do: func(w *world) { w.remove(bus.State, bus.Tables, bus.Events, bus.Dead, bus.Audit) },
		notes: []string{"STATE is empty and younger than CALLBACKS"}, begun: true, lost: true,
		knows: []string{
			"STATE was removed and made again", "EVENTS was removed and made again", "DEAD was removed and made again",
			"AUDIT was removed and made again", "TABLES was removed and made again",
		},
	},
	{name: "its newest messages cut, its state kept", do: func(w *world) { w.drop(bus.Callbacks, 6, 7, 8, 9, 10) }, notes: []string{"CALLBACKS has lost 5 messages in between"}, begun: true},
	{name: "all messages cut, its state kept", do: func(w *world) { w.drop(bus.Events, tenth...) }, notes: []string{"EVENTS has lost messages, number 10 among them"}, begun: true},
	{name: "the newest letter closed", do: func(w *world) { w.drop(bus.Dead, 10) }},
	{
		name: "all trimmed by the bridge",
		do: func(w *world) {
			if err := w.k.Trimming(w.t.Context(), "", bus.Events, 11); err != nil {
				w.t.Fatal(err)
			}
			w.drop(bus.Events, tenth...)
		},
	},
	{
		name: "trimmed further than was said",
		do: func(w *world) {
			if err := w.k.Trimming(w.t.Context(), "", bus.Events, 10); err != nil {
				w.t.Fatal(err)
			}
			w.drop(bus.Events, tenth...)
		},
		notes: []string{"EVENTS has lost messages, number 10 among them"}, begun: true,
	},
	{
		name: "all over age",
		do: func(w *world) {
			wait(31 * 24 * time.Hour)
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
