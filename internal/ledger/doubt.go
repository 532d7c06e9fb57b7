package ledger

import (
	"time"

	"gongdan-bridge/internal/events"
)

// doubt: the open effect's call ended without a readable outcome.
func (t *step) doubt(f *Fault) {
	e := &t.o.Record.Effects[t.open()]
	e.State, e.Looks = InDoubt, 0
	t.dirty = true
	t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.lookAt(*e), fault: f})
}

// revive takes up a dead effect that may have run, for a replay: it is looked
// for, and only then, if at all, sent. Force lets it be sent although absence
// cannot be believed; found, it is applied all the same.
func (t *step) revive() {
	k := t.o.stages[1].task
	r := &t.o.Record
	i := t.unsure(k)
	e := r.Effects[i]
	e.IDs = union(e.IDs, k.plan.IDs)
	e.EventID, e.Seq, e.Position, e.Replay = k.EventID, k.Seq, k.Position, k.Replay
	e.State, e.Looks, e.Word = InDoubt, len(t.s.Looks)-1, k.Forced != ""
	t.dirty = true
	r.Effects = append(append(r.Effects[:i:i], r.Effects[i+1:]...), e)
	t.look()
}

// look searches Kingdee's records for the call in doubt.
func (t *step) look() {
	l, d := t.at(events.Handle)
	e := t.o.Record.Effects[t.open()]
	if t.paused(ActLook) {
		t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.spread(t.s.Probe)})
		return
	}
	if d.task == nil {
		d.task = &task{Message: l.Head.Message, bill: *e.Bill}
	}
	d.task.pending = looking
	t.do(t.lookFor(e))
}

func (t *step) lookFor(e Effect) Look {
	look := Look{Bill: *e.Bill, Marker: e.Marker, Like: e.Like, Body: e.Body, Applied: t.o.Record.like(e.Like)}
	if e.Marker != "" {
		look.Markers = e.markers(t.s.Tenant)
	}
	return look
}

// looked decides on what a look showed.
func (t *step) looked(in Looked) {
	if in.Sweep {
		t.swept(in)
		return
	}
	if t.waitingFor(events.Handle, looking) == nil {
		return
	}
	e := &t.o.Record.Effects[t.open()]
	switch {
	case in.Failure != nil:
		t.lookFailed(in.Failure)
	case in.Found > 0 && t.tellable(*e):
		if in.Marker != "" {
			e.Marker = in.Marker
		}
		if e.Sends == 0 {
			t.do(Alert{Why: AlarmStore, Text: "Kingdee holds a handling record that the store does not know: it is an older copy, or its records were lost"})
		}
		if in.Found > 1 && e.Marker != "" {
			t.doubled(*e)
		}
		t.applied("found in Kingdee's handling records")
	default:
		t.absent(in)
	}
}

// tellable reports whether the effect's record can be told from the order's
// others: by its marker, or because of all that look like it is known whether
// they have one. A generation is forced because that is not known of the one before.
func (t *step) tellable(e Effect) bool {
	if e.Marker != "" {
		return true
	}
	if e.Stale && e.Sends == 0 {
		return false // it may be that of a later event, which the copy does not know either
	}
	for _, x := range t.o.Record.Effects {
		if x.Like == e.Like && (x.Unsure && x.State == Dead || x.Generation > 0) {
			return false
		}
	}
	return !t.o.Record.Forgot
}

// absent: this look did not find it. After the last one, and not before its
// time, it is sent again if absence can be believed, else a person is asked.
func (t *step) absent(in Looked) {
	e := &t.o.Record.Effects[t.open()]
	var up time.Duration
	if h := t.o.Record.Handle.Head; h != nil {
		up = h.Up
	}
	_, more := Resend(e.Sends, up, t.s)
	switch {
	case e.Looks+1 < len(t.s.Looks):
		e.Looks++
		t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.lookAt(*e)})
	case t.early(*e):
		e.Looks = len(t.s.Looks) - 1
		t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.lookAt(*e)})
	case e.Word:
		t.resend()
	case !in.Understood:
		t.askPerson("the list of handling records was not understood")
	case e.Stale && e.Sends == 0 && in.Found == 0:
		t.resend()
	case !t.tellable(*e):
		t.askPerson("without a marker its handling record cannot be told from others like it")
	case !in.Control:
		t.askPerson("no handling record was found, but this query has not yet found one of ours either")
	case !more:
		t.askPerson("sent again for as long as a call is, and never answered readably")
	case t.isLate(t.current(events.Handle)):
		t.askPerson("no handling record was found, but a later event was applied since")
	case len(e.Body) == 0:
		t.askPerson("no handling record was found, and the body is no longer kept")
	default:
		t.resend()
	}
}

// early reports whether the effect's newest call may still be on its way.
func (t *step) early(e Effect) bool { return t.m.At.Before(e.Deadline.Add(t.s.lastLook())) }

// resend sends the same body under the same marker, right after a look.
func (t *step) resend() {
	e := &t.o.Record.Effects[t.open()]
	if t.paused(ActCall) {
		e.Looks = len(t.s.Looks) - 1
		t.wait(events.Handle, pauseFor{why: Doubt, on: Writes, next: t.spread(t.s.Probe)})
		return
	}
	t.send()
}

// lookFailed treats a look that could not be made.
func (t *step) lookFailed(f *events.Failure) {
	tr := t.treat(ActLook, f)
	fault := faultOf(f)
	if tr.Alert {
		t.do(Alert{Why: AlarmDenied, Text: f.Error()})
	}
	switch tr.Do {
	case Retry, Pause, GiveBack:
		next := t.spread(tr.Wait)
		if due := t.lookAt(t.o.Record.Effects[t.open()]); due.After(next) {
			next = due // no look is due yet: it broke before
		}
		t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: next, fault: &fault, spend: tr.Do == Retry})
	default:
		e := t.o.Record.Effects[t.open()]
		switch {
		case e.Word && t.early(e):
			t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.lookAt(e), fault: &fault})
			return
		case e.Word:
			t.resend()
			return
		}
		t.askPerson("its handling record could not be looked for: " + fault.Reason)
	}
}

// askPerson makes the call in doubt wait for a person.
func (t *step) askPerson(reason string) {
	t.withLetter(events.Handle, Fault{
		Kind: events.Uncertain, API: string(Writes), Reason: "the call may have run: " + reason,
	})
}

// sweepDue looks for doubles of applied effects that were sent more than once.
func (t *step) sweepDue() {
	if t.o.sweep != "" {
		return
	}
	for i := range t.o.Record.Effects {
		e := &t.o.Record.Effects[i]
		if e.Sweep.IsZero() || e.Sweep.After(t.m.At) {
			continue
		}
		if t.paused(ActLook) {
			e.Sweep = t.spread(t.s.Probe)
			continue
		}
		t.o.sweep = e.Marker
		look := t.lookFor(*e)
		look.Sweep = true
		t.do(look)
		return
	}
}

// swept ends a sweep. One that could not be made is tried again; an answer that
// was not understood will not be understood later either.
func (t *step) swept(in Looked) {
	for i := range t.o.Record.Effects {
		e := &t.o.Record.Effects[i]
		if t.o.sweep == "" || e.Marker != t.o.sweep || e.Sweep.IsZero() {
			continue
		}
		e.Sweep = time.Time{}
		if in.Failure != nil && in.Failure.Kind != events.Rejected && in.Failure.Kind != events.Invalid {
			e.Sweep = t.spread(t.s.Doubles)
		}
		if in.Found > 1 {
			t.doubled(*e)
		}
	}
	t.o.sweep = ""
}

func (t *step) doubled(e Effect) {
	t.do(Alert{Why: AlarmDoubled, Text: "two handling records of bill " + e.Bill.OrderNo + " carry " + e.Marker})
}
