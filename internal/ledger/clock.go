package ledger

import (
	"time"

	"gongdan-bridge/internal/events"
)

// count adds to each head the time that its API was up since the last input.
// Time in which no actor held the order is not counted.
func (t *step) count() {
	for _, st := range Stages {
		l, k := t.at(st)
		if l.Head == nil || l.Head.On == "" {
			continue
		}
		up := t.m.Gate(l.Head.On).Up
		l.Head.Up += max(0, up-k.upAt)
		k.upAt = up
	}
}

// timer does what is due; what is not stays.
func (t *step) timer() {
	t.o.wake = Wake{} // spent: what is still needed is asked for again
	for _, st := range Stages {
		l, k := t.at(st)
		if k.task != nil || k.asked {
			continue
		}
		if h := l.Head; h != nil && h.Why != Held && !h.Next.After(t.m.At) {
			t.goOn(st)
			continue
		}
		if !k.retry.IsZero() && !k.retry.After(t.m.At) {
			t.ask(st)
		}
	}
	t.sweepDue()
}

// resumed wakes what was paused, due or not: the wait was a guess.
func (t *step) resumed(on API) {
	for _, st := range Stages {
		l, k := t.at(st)
		h := l.Head
		if h == nil || k.task != nil || k.asked || h.On != on {
			continue
		}
		if h.Why == Paused || h.Why == Denied {
			t.goOn(st)
		}
	}
}

// freed wakes a head that found its bill locked.
func (t *step) freed() {
	l, k := t.at(events.Handle)
	if l.Head != nil && l.Head.Why == NoBill && k.task == nil && !k.asked {
		t.goOn(events.Handle)
	}
}

// goOn takes the waiting head up again.
func (t *step) goOn(st events.Stage) {
	l, _ := t.at(st)
	h := l.Head
	if t.m.Held[Index(st)] || h.On != "" && t.m.Gate(h.On).Paused {
		// Nothing is spent and nothing written.
		h.Next = t.spread(t.s.Probe)
		return
	}
	if h.Why == Doubt {
		t.look()
		return
	}
	t.ask(st)
}

// arm asks for the earliest timer that anything in the order needs.
func (t *step) arm() {
	var w Wake
	need := func(at time.Time) {
		if !at.IsZero() && (w.At.IsZero() || at.Before(w.At)) {
			w.At = at
		}
	}
	for i, st := range Stages {
		l, k := t.at(st)
		if k.task != nil || k.asked {
			continue
		}
		if l.Head != nil && l.Head.Why != Held {
			need(l.Head.Next)
			if l.Head.Why == Paused || l.Head.Why == Denied {
				w.On[i] = l.Head.On
			}
		}
		need(k.retry)
	}
	if t.o.sweep == "" {
		for _, e := range t.o.Record.Effects {
			need(e.Sweep)
		}
	}
	if !w.At.Equal(t.o.wake.At) || w.On != t.o.wake.On {
		t.o.wake = w
		t.do(w)
	}
}
