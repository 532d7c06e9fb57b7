package ledger

import "gongdan-bridge/internal/events"

// takeover begins with a record that an earlier owner may have left in the midst of its
// work: a verdict or a letter perhaps not published, an intent
// whose call may be on its way, followers acknowledged and not yet done.
func (t *step) takeover(in Takeover) {
	t.o.quiet = in.Quiet
	t.o.listed = in.Listed
	t.o.doubtful = in.Doubtful
	for _, st := range Stages {
		if l, _ := t.at(st); l.Last != nil && !l.Last.Published {
			t.announce(st, true)
		}
	}
	if in.Recovery != nil {
		t.recover(in)
	} else {
		t.settleIn(in)
	}
	for _, st := range Stages {
		l, k := t.at(st)
		if h := l.Head; h != nil {
			k.upAt = t.m.Gate(h.On).Up
			t.adopt(st)
		}
	}
	t.adoptEffect()
	for _, st := range Stages {
		if l, _ := t.at(st); l.Head == nil && l.Behind {
			t.ask(st)
		}
	}
}

// settleIn gives a record that was never written its place in the streams.
func (t *step) settleIn(in Takeover) {
	for i, st := range Stages {
		if l, _ := t.at(st); l.Cursor == 0 && l.Head == nil && l.Last == nil && !l.Behind {
			l.History, l.Cursor = in.History, in.Start[i]
		}
	}
}

// adopt takes over a waiting head.
func (t *step) adopt(st events.Stage) {
	l, _ := t.at(st)
	h := l.Head
	if h.Why == Running {
		h.Why, h.Next = Backoff, t.m.At
	}
	if h.Why == Doubt && h.Next.Before(t.o.quiet) {
		// A resend is to follow its look at once, and may not before.
		h.Next = t.o.quiet
	}
	if h.Why == Held { // its letter may be gone with the stream DEAD
		v := t.verdict(st, events.Dead)
		v.Fault, v.Letter = h.Fault, h.Letters
		if h.Fault != nil {
			v.Reason = h.Fault.Reason
		}
		t.post(st, v, true)
	}
}

// adoptEffect takes over a call on its way or in doubt: its bill stays closed to
// other orders, an intent is in doubt from now on, and the stage waits with it. The
// owner before may have ended in the midst of a look, its head waiting for something
// else still.
func (t *step) adoptEffect() {
	i := t.open()
	if i < 0 {
		return
	}
	e := &t.o.Record.Effects[i]
	b := *e.Bill
	t.o.lock = &b
	t.do(Enter{Bill: b})
	l := &t.o.Record.Handle
	if e.State == InDoubt && l.Head != nil && (l.Head.Why == Doubt || l.Head.Why == Held) {
		return
	}
	if l.Head == nil {
		l.Head = &Head{Since: t.m.At, Message: Message{
			Seq: e.Seq, EventID: e.EventID, Position: e.Position, Replay: e.Replay,
		}}
	}
	if e.State == InDoubt {
		t.dirty = true
		t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.lookAt(*e)})
		return
	}
	t.doubt(&Fault{Kind: events.Uncertain, API: string(Writes), Reason: "its owner ended before the call did"})
}

// broke spends a try of a message that a fault of ours ended, however it did: after
// a few it ends with a letter, and the order goes on. What is not known to be the
// order's lowest is looked for first; what waits for a person stays with them.
func (t *step) broke(in Broke) {
	l, k := t.at(in.Stage)
	switch h := l.Head; {
	case in.Seq <= l.Cursor || k.task != nil:
	case h == nil:
		k.broke = &in
		t.ask(in.Stage)
	case h.Seq != in.Seq || h.Why == Held || k.asked:
	case h.Why == Doubt:
		k.task = &task{Message: h.Message, bill: *t.o.Record.Effects[t.open()].Bill}
		t.lookFailed(in.Failure)
	default:
		t.failed(mainAct(in.Stage), in.Failure)
	}
}

// mainAct is the act that stands for a stage's own work.
func mainAct(st events.Stage) Act {
	if st == events.Enrich {
		return ActFetch
	}
	return ActPlan
}
