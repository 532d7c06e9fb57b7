package ledger

import (
	"time"

	"gongdan-bridge/internal/events"
)

var zeroTime time.Time

// current is the message that a stage works on or waits with.
func (t *step) current(st events.Stage) Message {
	l, k := t.at(st)
	if k.task != nil {
		return k.task.Message
	}
	return l.Head.Message
}

// verdict begins the verdict on the current message.
func (t *step) verdict(st events.Stage, o events.Outcome) Verdict {
	l, k := t.at(st)
	m := t.current(st)
	v := Verdict{Seq: m.Seq, EventID: m.EventID, Replay: m.Replay, Outcome: o, At: t.m.At}
	if l.Head != nil {
		v.Tries = l.Head.Tries
	}
	if k.task != nil && k.task.plan != nil {
		p := k.task.plan
		v.Rule, v.Mapping, v.Status = p.Rule, p.Mapping, p.Status
		if b := p.Bill; b != (Bill{}) {
			v.Bill = &b
		}
	}
	for _, e := range t.o.Record.Effects {
		if st == events.Handle && e.Seq == m.Seq && e.EventID == m.EventID && e.Bill != nil {
			v.Rule, v.Mapping, v.Status, v.Marker, v.Bill = e.Rule, e.Mapping, e.Status, e.Marker, e.Bill
		}
	}
	return v
}

// settle ends the current message: on record, then announced, then acknowledged.
// check: the same words may have been published before.
func (t *step) settle(st events.Stage, v Verdict, check bool) {
	l, k := t.at(st)
	l.Cursor, l.At, l.Head, k.task = v.Seq, t.current(st).At, nil, nil
	l.Seen = remember(l.Seen, seen(v.EventID, v.Replay))
	l.Last = &v
	t.write()
	t.announce(st, check)
	t.ackHeld(st)
	if st == events.Handle {
		t.leave()
	}
	t.next(st)
}

// dead ends the current message with a letter, or, where followers are to wait
// for a person, makes it wait with that letter.
func (t *step) dead(st events.Stage, f Fault) {
	if t.s.HoldAfterLetter {
		t.withLetter(st, f)
		return
	}
	t.settle(st, t.deadVerdict(st, f), false)
}

// deadVerdict is the verdict that makes the current message's next letter.
func (t *step) deadVerdict(st events.Stage, f Fault) Verdict {
	v := t.verdict(st, events.Dead)
	v.Fault, v.Reason, v.Letter = &f, f.Reason, 1
	if l, _ := t.at(st); l.Head != nil {
		v.Letter += l.Head.Letters
	}
	if rec := t.o.recovery; rec != nil {
		v.Letter = max(v.Letter, 1+rec.Closed[Index(st)][Ended{v.EventID, v.Replay}])
	}
	return v
}

// pauseFor is one wait of a head.
type pauseFor struct {
	why   Why
	on    API
	next  time.Time
	fault *Fault // nil keeps the last one
	spend bool
}

// wait records that the current message waits, and acknowledges it. A wait that
// only goes on is not written again.
func (t *step) wait(st events.Stage, p pauseFor) {
	l, k := t.at(st)
	h, news := l.Head, l.Head == nil
	if news {
		h = &Head{Message: t.current(st), Since: t.m.At}
	}
	if h.On != p.on {
		news = news || p.why != Doubt
		if h.Why != Doubt {
			// Looks and resends of a doubt share one count of tries.
			h.Tries, h.Up = 0, 0
		}
		h.On = p.on
		k.upAt = t.m.Gate(p.on).Up
	}
	news = news || h.Why != p.why || p.spend || t.dirty
	h.Why, h.Next = p.why, p.next
	if p.spend {
		h.Tries++
	}
	if p.fault != nil {
		news = news || h.Fault == nil || h.Fault.Kind != p.fault.Kind || h.Fault.Code != p.fault.Code
		h.Fault = p.fault
	}
	l.Head, l.Behind, k.task = h, true, nil
	if news {
		t.write()
	}
	t.ackHeld(st)
	if st == events.Handle && t.open() < 0 {
		t.leave()
	}
}

// withLetter makes the current message wait for a person. Its letter is not yet
// a verdict.
func (t *step) withLetter(st events.Stage, f Fault) {
	l, k := t.at(st)
	if l.Head == nil {
		l.Head = &Head{Message: t.current(st), Since: t.m.At}
	}
	v := t.deadVerdict(st, f)
	h := l.Head
	h.Why, h.Next, h.Fault = Held, zeroTime, &f
	h.Letters, h.Posted = v.Letter, false
	l.Behind, k.task = true, nil
	t.write()
	t.post(st, v, false)
	t.ackHeld(st)
	if st == events.Handle && t.open() < 0 {
		t.leave()
	}
}

// giveBack leaves the current message to the next owner: on record if it was there, else
// with the consumer. If there is no next owner, this one asks again.
func (t *step) giveBack(st events.Stage, again time.Time) {
	l, k := t.at(st)
	k.task = nil
	if l.Head != nil {
		l.Head.Next = again
	} else {
		k.retry, k.more = again, true
	}
	if t.dirty {
		t.write()
	}
	if st == events.Handle && t.open() < 0 {
		t.leave()
	}
}

// gated makes the current message wait if the act's API is down.
func (t *step) gated(a Act) bool {
	if !t.paused(a) {
		return false
	}
	t.wait(a.Stage(), pauseFor{why: Paused, on: a.API(), next: t.spread(t.s.Probe)})
	return true
}

// held makes the current message wait while a person has paused the stage: what they
// mend must not fail meanwhile. The tries of a head are not forgotten for that.
func (t *step) held(st events.Stage) bool {
	if !t.m.Held[Index(st)] {
		return false
	}
	l, _ := t.at(st)
	w := pauseFor{why: Paused, on: Reads, next: t.spread(t.s.Probe)}
	switch {
	case l.Head != nil:
		w.on = l.Head.On
	case st == events.Enrich:
		w.on = Detail
	}
	t.wait(st, w)
	return true
}

// failed treats the failure of an act that had no effect. ActCall and ActLook
// prepare the effect before they come here.
func (t *step) failed(a Act, f *events.Failure) {
	st := a.Stage()
	fault := faultOf(f)
	tr := t.treat(a, f)
	if tr.Alert {
		t.do(Alert{Why: AlarmDenied, Text: f.Error()})
	}
	switch tr.Do {
	case Retry:
		why := Backoff
		if a == ActBill && (f.Kind == events.Missing || f.Kind == events.Unmapped) {
			why = NoBill
		}
		t.wait(st, pauseFor{why: why, on: a.API(), next: t.spread(tr.Wait), fault: &fault, spend: true})
	case Pause:
		why := Paused
		if f.Kind == events.Denied {
			why = Denied
		}
		t.wait(st, pauseFor{why: why, on: a.API(), next: t.spread(tr.Wait), fault: &fault})
	case GiveBack:
		t.giveBack(st, t.spread(tr.Wait))
	default:
		t.conclude(st, Dead)
		t.dead(st, fault)
	}
}

// treat puts a failure into its circumstances.
func (t *step) treat(a Act, f *events.Failure) Treatment {
	l, _ := t.at(a.Stage())
	at := Attempt{
		Act: a, Kind: f.Kind, Wait: f.Wait, Paused: t.m.Gate(a.API()).Paused, Answer: f.API != "",
		Age: age(t.current(a.Stage()).Position, t.m.At),
	}
	if h := l.Head; h != nil && (h.On == a.API() || h.Why == Doubt) {
		at.Tries, at.Up = h.Tries, h.Up
		if few := f.Kind == events.Missing || f.Kind == events.Internal || f.Kind == events.Invalid; few && h.Fault != nil && h.Fault.Kind != f.Kind {
			// The few tries of these are not used up by an outage before.
			at.Tries, h.Tries = 0, 0
		}
	}
	return Treat(at, t.s)
}
