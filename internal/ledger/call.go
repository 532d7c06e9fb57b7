package ledger

import (
	"time"

	"gongdan-bridge/internal/events"
)

const dryRun = "dry_run"

// intend puts the call on record and makes it.
func (t *step) intend() {
	if t.s.DryRun {
		t.ignore(dryRun, "")
		return
	}
	if t.gated(ActCall) {
		return
	}
	k := t.o.stages[1].task
	e := t.draft()
	e.State, e.Body = Intent, k.plan.Body
	if t.s.Marker {
		e.Marker = Marker(t.s.Tenant, e.IDs[0], e.Generation, e.Application)
	}
	if t.mayHaveRun(k.Message) {
		t.suspect(e)
		return
	}
	t.o.Record.Effects = append(t.o.Record.Effects, e)
	t.send()
}

// send makes the open effect's call, for the first time or again.
func (t *step) send() {
	k := t.o.stages[1].task
	e := &t.o.Record.Effects[t.open()]
	after := t.o.quiet
	if after.Before(t.m.At) {
		after = t.m.At
	}
	e.State, e.Looks, e.Word, e.Without, e.Deadline = Intent, 0, false, "", after.Add(t.s.CallTimeout)
	e.Sends++
	k.pending = calling
	t.write()
	t.do(Call{
		Bill: *e.Bill, Body: e.Body, Marker: e.Marker, After: after, Deadline: e.Deadline,
		EventID: e.EventID, Seq: e.Seq,
	})
}

// called reads the outcome of a call.
func (t *step) called(in Called) {
	if t.waitingFor(events.Handle, calling) == nil {
		return
	}
	e := &t.o.Record.Effects[t.open()]
	e.Without = clean(in.Without, maxReason)
	if in.Failure == nil {
		t.applied("")
		return
	}
	act := ActCall
	if in.Before {
		act = ActPhotos
	}
	tr := t.treat(act, in.Failure)
	f := faultOf(in.Failure)
	switch {
	case tr.Do == ToDoubt:
		t.doubt(&f)
	case tr.Do == ToLetter:
		t.refused(f)
	case e.Sends > 1:
		// This send did not run, but the effect stays one that may have.
		t.unsend(e, act, tr, f)
	default:
		t.withdraw()
		t.failed(act, in.Failure)
	}
}

// withdraw: nothing ran, as if it had never been meant. If it had died before,
// that stays known, for its next marker must not be an old one.
func (t *step) withdraw() {
	i := t.open()
	e := &t.o.Record.Effects[i]
	t.dirty = true
	if e.Application == 0 {
		t.o.Record.Effects = append(t.o.Record.Effects[:i], t.o.Record.Effects[i+1:]...)
		return
	}
	e.State, e.Sends, e.Body, e.Deadline = Dead, 0, nil, zeroTime
}

// refused: the vendor said no, or could not be reached for too long. If it was
// sent before, that may be why: then it may have run.
func (t *step) refused(f Fault) {
	e := &t.o.Record.Effects[t.open()]
	e.State, e.Ended, e.Unsure, e.Word = Dead, t.m.At, e.Sends > 1, false
	if e.Unsure && t.s.HoldAfterLetter {
		e.State, e.Looks = InDoubt, len(t.s.Looks)
	}
	t.dead(events.Handle, f)
}

// unsend: a resend did not run, but the effect stays one that may have.
func (t *step) unsend(e *Effect, act Act, tr Treatment, f Fault) {
	e.State, e.Looks = InDoubt, len(t.s.Looks)-1
	e.Sends--
	// Those before it are past their looks, or it had not been sent.
	e.Deadline = t.m.At.Add(-t.s.lastLook())
	t.dirty = true
	if tr.Alert {
		t.do(Alert{Why: AlarmDenied, Text: f.Reason})
	}
	t.wait(events.Handle, pauseFor{
		why: Doubt, on: act.API(), next: t.spread(tr.Wait), fault: &f, spend: tr.Do == Retry,
	})
}

// lookAt is when the next look for a call in doubt is due. The last one comes
// right before a resend.
func (t *step) lookAt(e Effect) time.Time {
	n := min(e.Looks, len(t.s.Looks)-1)
	wait := t.s.Looks[n]
	if n == len(t.s.Looks)-1 {
		after, _ := Resend(e.Sends, 0, t.s)
		wait = max(wait, after)
	}
	from := e.Deadline
	if from.Before(t.o.quiet) {
		from = t.o.quiet
	}
	return from.Add(wait)
}
