package ledger_test

import (
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// mutant is the machine with one thing wrong, at its edge: what it is told,
// what it says, what it loads.
type mutant struct {
	loaded  func(ledger.Record) ledger.Record
	input   func(*ledger.Moment, *ledger.Input)
	actions func([]ledger.Action) []ledger.Action
}

// sound is the machine as it is.
var sound = mutant{
	loaded:  func(r ledger.Record) ledger.Record { return r },
	input:   func(*ledger.Moment, *ledger.Input) {},
	actions: func(a []ledger.Action) []ledger.Action { return a },
}

// each changes every action of a list.
func each(f func(ledger.Action) ledger.Action) func([]ledger.Action) []ledger.Action {
	return func(acts []ledger.Action) []ledger.Action {
		out := make([]ledger.Action, 0, len(acts))
		for _, a := range acts {
			if b := f(a); b != nil {
				out = append(out, b)
			}
		}
		return out
	}
}

// told changes an input of one type.
func told[T ledger.Input](f func(*T)) func(*ledger.Moment, *ledger.Input) {
	return func(_ *ledger.Moment, in *ledger.Input) {
		if x, ok := (*in).(T); ok {
			f(&x)
			*in = x
		}
	}
}

// early moves actions of one type to the front.
func early[T ledger.Action](acts []ledger.Action) []ledger.Action {
	var first, rest []ledger.Action
	for _, a := range acts {
		if _, ok := a.(T); ok {
			first = append(first, a)
		} else {
			rest = append(rest, a)
		}
	}
	return append(first, rest...)
}

// record changes what is written.
func record(f func(*ledger.Record)) func([]ledger.Action) []ledger.Action {
	return each(func(a ledger.Action) ledger.Action {
		if w, ok := a.(ledger.Write); ok {
			f(&w.Record)
			return w
		}
		return a
	})
}

func without[T ledger.Action](acts []ledger.Action) []ledger.Action {
	return each(func(a ledger.Action) ledger.Action {
		if _, ok := a.(T); ok {
			return nil
		}
		return a
	})(acts)
}

// mutants are the mistakes that the simulation must notice.
func mutants() map[string]mutant {
	act := func(f func([]ledger.Action) []ledger.Action) mutant {
		m := sound
		m.actions = f
		return m
	}
	in := func(f func(*ledger.Moment, *ledger.Input)) mutant {
		m := sound
		m.input = f
		return m
	}
	forgetful := sound
	forgetful.loaded = func(r ledger.Record) ledger.Record {
		r.Effects, r.Handle.Head = nil, nil
		return r
	}
	const early55 = 55 * time.Second
	hasty := sound
	hasty.actions = each(func(a ledger.Action) ledger.Action {
		if w, ok := a.(ledger.Wake); ok && !w.At.IsZero() {
			w.At = w.At.Add(-early55)
			return w
		}
		return a
	})
	hasty.input = func(m *ledger.Moment, in *ledger.Input) {
		switch (*in).(type) {
		case ledger.Timer, ledger.Looked:
			m.At = m.At.Add(early55)
		}
	}
	return map[string]mutant{
		"an owner forgets effects":         forgetful,
		"calls before the intent":          act(early[ledger.Call]),
		"acknowledges before writing":      act(early[ledger.Ack]),
		"publishes before writing":         act(early[ledger.Publish]),
		"enters no bill":                   in(told(func(e *ledger.Entered) { e.Busy = false })),
		"resends without positive control": in(told(func(l *ledger.Looked) { l.Control = true })),
		"takes what it cannot read for no": in(told(func(l *ledger.Looked) { l.Understood = true })),
		"takes a failed look for no": in(told(func(l *ledger.Looked) {
			if l.Failure != nil {
				l.Failure, l.Understood, l.Control = nil, true, true
			}
		})),
		"looks before the time": hasty,
		"plans an uncertain call anew": in(told(func(c *ledger.Called) {
			if c.Failure != nil && c.Failure.Kind == events.Uncertain {
				c.Failure = failure(events.Unavailable)
			}
		})),
		"takes an uncertain call for done": in(told(func(c *ledger.Called) {
			if c.Failure != nil && c.Failure.Kind == events.Uncertain {
				c.Failure = nil
			}
		})),
		"loses followers": act(record(func(r *ledger.Record) {
			if r.Handle.Head == nil {
				r.Handle.Behind = false
			}
			if r.Enrich.Head == nil {
				r.Enrich.Behind = false
			}
		})),
		"never lists": act(each(func(a ledger.Action) ledger.Action {
			if w, ok := a.(ledger.Write); ok {
				w.List = false
				return w
			}
			return a
		})),
		"says it has published before it has": act(record(func(r *ledger.Record) {
			if r.Handle.Last != nil {
				v := *r.Handle.Last
				v.Published = true
				r.Handle.Last = &v
			}
		})),
		"publishes without checking": act(each(func(a ledger.Action) ledger.Action {
			if p, ok := a.(ledger.Publish); ok {
				p.Check = false
				return p
			}
			return a
		})),
		"knows an effect by one name only": in(told(func(p *ledger.Planned) { p.IDs = p.IDs[len(p.IDs)-1:] })),
		"knows no position":                in(told(func(f *ledger.Found) { f.Position = "" })),
		"maps anew for a resend": act(each(func(a ledger.Action) ledger.Action {
			if c, ok := a.(ledger.Call); ok {
				c.Body = append(append([]byte(nil), c.Body[:len(c.Body)-1]...), `,"again":true}`...)
				return c
			}
			return a
		})),
		"does not wait for the dead": act(each(func(a ledger.Action) ledger.Action {
			if c, ok := a.(ledger.Call); ok {
				c.After = begin
				return c
			}
			return a
		})),
		"trusts every delivery": in(told(func(d *ledger.Delivered) { d.InOrder = true })),
		"never looks behind":    act(without[ledger.Next]),
		"raises the cursor too far": act(record(func(r *ledger.Record) {
			if r.Handle.Head != nil {
				r.Handle.Cursor = r.Handle.Head.Seq
			}
		})),
	}
}
