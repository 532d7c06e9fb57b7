package ledger

import "gongdan-bridge/internal/events"

// operator carries out a person's word on a waiting head, and answers once that
// is on record; it is refused where the head is not what they saw.
func (t *step) operator(in Operator) {
	l, k := t.at(in.Stage)
	h := l.Head
	switch {
	case h == nil || !h.Is(in.Seq):
		t.do(Answer{Refused: "no such event waits at this stage"})
		return
	case k.task != nil || k.asked:
		t.do(Answer{Refused: "the event is being worked on; try again in a moment"})
		return
	}
	doubted := in.Stage == events.Handle && t.open() >= 0
	by := clean(in.Who+": "+in.Why, maxReason)
	switch {
	case in.Word == TryAgain && (h.Why == Held || !doubted):
		t.rerun(in.Stage)
		t.write()
		t.do(Answer{})
	case h.Why != Held:
		t.do(Answer{Refused: "the event does not wait for a person"})
	case doubted && t.early(t.o.Record.Effects[t.open()]):
		t.do(Answer{Refused: "the call may still be on its way; say it again in a minute"})
	case in.Word == Discard:
		t.giveUp(in.Stage, "discarded by "+by)
		t.do(Answer{})
	case !doubted:
		t.do(Answer{Refused: "the event's call is not in doubt"})
	case in.Word == SettleApplied:
		t.applied("settled by " + by)
		t.do(Answer{})
	case in.Word == SendAgain:
		t.sendAgain()
	default:
		t.do(Answer{Refused: "not a word that settles anything: " + clean(string(in.Word), maxName)})
	}
}

// sendAgain sends a call in doubt at a person's word.
func (t *step) sendAgain() {
	l, d := t.at(events.Handle)
	e := t.o.Record.Effects[t.open()]
	switch {
	case t.paused(ActCall):
		t.do(Answer{Refused: "Kingdee's handle-order is paused now"})
	case len(e.Body) == 0:
		t.do(Answer{Refused: "the body is no longer kept; discard the letter and replay the event by force"})
	default:
		l.Head.Why = Doubt
		d.task = &task{Message: l.Head.Message, bill: *e.Bill}
		t.send()
		t.do(Answer{})
	}
}

// rerun makes a waiting head due now, with its patience renewed. What is in
// doubt is looked for before anything else.
func (t *step) rerun(st events.Stage) {
	l, _ := t.at(st)
	h := l.Head
	h.Why, h.Next, h.Tries, h.Up = Backoff, t.m.At, 0, 0
	if i := t.open(); st == events.Handle && i >= 0 {
		e := &t.o.Record.Effects[i]
		h.Why, e.Looks = Doubt, len(t.s.Looks)-1
	}
}

// expiring ends a waiting head before the stream forgets its message; not while
// a call of it may be on its way, for the followers would overtake that.
func (t *step) expiring(in Expiring) {
	l, k := t.at(in.Stage)
	if l.Head == nil || l.Head.Seq != in.Seq || k.task != nil || k.asked {
		return
	}
	if i := t.open(); in.Stage == events.Handle && i >= 0 && t.early(t.o.Record.Effects[i]) {
		return
	}
	last := "it waited"
	if f := l.Head.Fault; f != nil && f.Reason != "" {
		last = f.Reason
	}
	t.giveUp(in.Stage, "about to leave the stream; last: "+last)
}

// giveUp ends a waiting head as dead. Its letter may be out already.
func (t *step) giveUp(st events.Stage, reason string) {
	l, _ := t.at(st)
	h := l.Head
	f := Fault{Kind: events.Unavailable}
	if h.Fault != nil {
		f = *h.Fault
	}
	f.Reason = clean(reason, maxReason)
	v := t.deadVerdict(st, f)
	if h.Why == Held {
		v.Letter, v.Posted = h.Letters, true
	}
	if i := t.open(); st == events.Handle && i >= 0 {
		e := &t.o.Record.Effects[i]
		e.State, e.Unsure, e.Word, e.Ended = Dead, true, false, t.m.At
		v.Fault.Kind = events.Uncertain
	}
	t.settle(st, v, false)
}
