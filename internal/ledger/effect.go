package ledger

import (
	"slices"
	"strings"

	"gongdan-bridge/internal/events"
)

// duplicate reports the event whose effect makes this one superfluous. An applied effect
// does, in any generation, unless a person forces a new generation or replays a forced
// one that died. A dead effect does, unless a person asks for another run, or the effect
// died by this very message, which waited since. The known effect takes over all
// identities.
func (t *step) duplicate(k *task) (string, bool) {
	best := -1
	for i, e := range t.o.Record.Effects {
		if e.State == Applied && e.known(k.plan.IDs) && (best < 0 || e.Generation > t.o.Record.Effects[best].Generation) {
			best = i
		}
	}
	if best >= 0 {
		e := &t.o.Record.Effects[best]
		e.IDs = union(e.IDs, k.plan.IDs)
		if t.reborn(k, e.Generation) {
			return "", false
		}
		return e.EventID, k.Forced == "" || k.Generation <= e.Generation
	}
	for i := range t.o.Record.Effects {
		e := &t.o.Record.Effects[i]
		if e.State == Dead && e.known(k.plan.IDs) && !k.Asked && k.Forced == "" && e.Seq != k.Seq {
			e.IDs = union(e.IDs, k.plan.IDs)
			return e.EventID, true
		}
	}
	return "", false
}

// reborn reports whether the message is the replay of a generation that was forced
// after the applied one, and died.
func (t *step) reborn(k *task, applied int) bool {
	return k.Asked && slices.ContainsFunc(t.o.Record.Effects, func(e Effect) bool {
		return e.State == Dead && e.Generation > applied && e.EventID == k.EventID && e.Replay < k.Replay && e.known(k.plan.IDs)
	})
}

// unsure is the index of a dead effect that may have run and that a replay
// wants again; -1 if there is none. A forced replay runs it afresh where its body is gone.
func (t *step) unsure(k *task) int {
	for i, e := range t.o.Record.Effects {
		if k.Forced != "" && len(e.Body) == 0 {
			continue
		}
		if e.State == Dead && e.Unsure && e.Bill != nil && e.known(k.plan.IDs) {
			return i
		}
	}
	return -1
}

// draft is the effect of the current message: a new one, or the one that died before, with a
// fresh application if that one had been sent.
func (t *step) draft() Effect {
	k := t.o.stages[1].task
	p := k.plan
	e := Effect{
		IDs: p.IDs, EventID: k.EventID, Seq: k.Seq, Position: k.Position,
		Replay: k.Replay, Rule: p.Rule, Mapping: p.Mapping, Like: p.Like, Status: p.Status, Begun: t.m.At,
	}
	if b := k.bill; b != (Bill{}) {
		e.Bill = &b
	}
	if k.Forced != "" {
		e.Generation = k.Generation
	}
	applied := -1
	rest := t.o.Record.Effects[:0]
	for _, old := range t.o.Record.Effects {
		switch {
		case !old.known(p.IDs):
		case old.State == Applied:
			applied = max(applied, old.Generation)
		default:
			// The same effect before: this entry takes its place.
			e.IDs = union(e.IDs, old.IDs)
			e.Application = max(e.Application, old.Application)
			if old.Sends > 0 {
				e.Application = max(e.Application, old.Application+1)
			}
			continue
		}
		rest = append(rest, old)
	}
	t.o.Record.Effects = rest
	e.Generation = max(e.Generation, applied+1)
	return e
}

// conclude puts an effect on record that ended without a call.
func (t *step) conclude(st events.Stage, s State) {
	k := t.o.stages[1].task
	if st != events.Handle || k == nil || k.plan == nil || len(k.plan.IDs) == 0 {
		return
	}
	if t.unsure(k) >= 0 {
		// What may have run stays known until it is settled.
		return
	}
	e := t.draft()
	e.State, e.Ended = s, t.m.At
	if s == Ignored && t.s.DryRun && !k.plan.NoRule {
		e.Body = k.plan.Body // that would have been sent: the outcome tells it
	}
	t.o.Record.Effects = append(t.o.Record.Effects, e)
}

// open is the index of the effect with its call on the way or in doubt, -1 if
// there is none. There is never more than one.
func (t *step) open() int {
	for i, e := range t.o.Record.Effects {
		if e.State == Intent || e.State == InDoubt {
			return i
		}
	}
	return -1
}

// applied ends the open effect, and with it the current message.
func (t *step) applied(reason string) {
	r := &t.o.Record
	e := &r.Effects[t.open()]
	e.State, e.Ended, e.Unsure, e.Word = Applied, t.m.At, false, false
	if e.Sends > 1 && e.Marker != "" {
		e.Sweep = t.spread(t.s.Doubles)
	}
	r.Applied = max(t.newest(), e.Position)
	r.Status = e.Status
	v := t.verdict(events.Handle, events.Applied)
	v.Reason = reason
	if e.Without != "" {
		v.Reason = clean(strings.TrimPrefix(reason+"; without "+e.Without, "; "), maxReason)
	}
	t.settle(events.Handle, v, false)
}

// like counts the applied effects that a record without a marker could be.
func (r Record) like(hash string) int {
	n := 0
	for _, e := range r.Effects {
		if e.State == Applied && e.Like == hash {
			n++
		}
	}
	return n
}

// known reports whether any of ids is one of the effect's names.
func (e Effect) known(ids []string) bool {
	for _, a := range e.IDs {
		for _, b := range ids {
			if a == "" || b == "" {
				continue
			}
			// Hashes only meet hashes: most names are compared as they are.
			if a == b || (a[0] == '#') != (b[0] == '#') && brief(a) == brief(b) {
				return true
			}
		}
	}
	return false
}
