package ledger

import (
	"slices"

	"gongdan-bridge/internal/events"
)

// delivered decides what becomes of a message that the consumer brought.
func (t *step) delivered(d Delivered) {
	l, k := t.at(d.Stage)
	switch {
	case d.Seq <= l.Cursor:
		t.do(Drop{Stage: d.Stage, Seq: d.Seq})
	case slices.Contains(k.unacked, d.Seq) && l.Head != nil && d.Seq < l.Head.Seq:
		// Asked for already.
	case l.Head != nil && d.Seq < l.Head.Seq, k.task != nil && d.Seq < k.task.Seq:
		t.astray(d)
	case l.Head != nil:
		t.release(d)
		t.do(Ack{Stage: d.Stage, Seq: d.Seq})
	case k.task != nil || k.asked:
		t.hold(d)
	case d.InOrder && !l.Behind && !k.more && len(k.unacked) == 0:
		k.unacked = []uint64{d.Seq}
		t.begin(d.Stage, d.Message, !d.Again)
	default:
		t.hold(d)
		t.ask(d.Stage)
	}
}

// astray ends a message that comes behind a later one of its order, although that
// one was vouched for. Where nothing was begun that cannot be taken back the
// stream's order counts, and the message has its turn first. Else the cursor will
// pass it: it ends with a letter of its own, before it could be taken for settled.
func (t *step) astray(d Delivered) {
	l, k := t.at(d.Stage)
	t.do(Alert{Why: AlarmDisorder, Text: d.EventID + " came behind a later message of its order"})
	if h := l.Head; k.task == nil && h != nil && h.Why != Doubt && h.Why != Held {
		t.hold(d)
		t.ask(d.Stage)
		return
	}
	f := Fault{Kind: events.Internal, Reason: "it came behind a later message of its order, and was not run: replay it"}
	v := Verdict{
		Seq: d.Seq, EventID: d.EventID, Replay: d.Replay, Outcome: events.Dead, Reason: f.Reason, Fault: &f, Letter: 1, At: t.m.At,
	}
	t.do(Publish{
		What: PublishVerdict, Stage: d.Stage, Seq: d.Seq, EventID: d.EventID, Replay: d.Replay,
		ID: t.id(d.Message, string(v.Outcome)), LetterID: t.letterID(d.Stage, d.Message, 1), Check: true, Verdict: v,
	})
	l.Seen = remember(l.Seen, seen(d.EventID, d.Replay)) // found in the stream later, it is not run
	t.write()
	t.do(Ack{Stage: d.Stage, Seq: d.Seq})
}

// hold keeps a message unacknowledged behind the current one. If there are too many of them,
// the current one is recorded, so that they can be acknowledged.
func (t *step) hold(d Delivered) {
	l, k := t.at(d.Stage)
	if !slices.Contains(k.unacked, d.Seq) {
		k.unacked = append(k.unacked, d.Seq)
	}
	if k.task != nil && k.task.Seq == d.Seq {
		return
	}
	k.more = true
	if k.task != nil && len(k.unacked) > t.s.MaxHeld {
		l.Head = &Head{Message: k.task.Message, Why: Running, Since: t.m.At, Next: t.m.At}
		l.Behind = true
		t.write()
		t.ackHeld(d.Stage)
	}
}

// release lets a head that waits with a letter run again, because a replay of
// it has come: behind the head that replay would never get its turn. What a
// person forces is forced for the head. The replay itself finds the work done.
func (t *step) release(d Delivered) {
	l, k := t.at(d.Stage)
	h := l.Head
	id := seen(d.EventID, d.Replay)
	if h.Why != Held || k.task != nil || k.asked || d.EventID != h.EventID || d.Replay <= h.Replay || slices.Contains(l.Spent, id) {
		return
	}
	t.rerun(d.Stage)
	l.Spent = remember(l.Spent, id)
	h.Asked = true
	if d.Forced != "" {
		h.Forced, h.Generation = d.Forced, max(h.Generation, d.Generation)
	}
	if i := t.open(); d.Stage == events.Handle && i >= 0 {
		t.o.Record.Effects[i].Word = d.Forced != ""
	}
	t.write()
}

// ask looks in the stream for the lowest message above the cursor.
func (t *step) ask(st events.Stage) {
	l, k := t.at(st)
	if k.asked {
		return
	}
	k.asked, k.more = true, false
	k.retry = zeroTime
	t.do(Next{Stage: st, After: l.Cursor})
}

func (t *step) found(in Found) {
	l, k := t.at(in.Stage)
	if !k.asked || k.task != nil {
		return
	}
	k.asked, k.missed = false, false
	switch {
	case in.Seq <= l.Cursor:
		t.ask(in.Stage)
	case t.doubtedHead(in.Stage):
		// Its call goes on being looked for, with or without its message.
	case l.Head != nil && in.Seq > l.Head.Seq:
		t.vanished(in.Stage)
	default:
		if l.Head != nil && in.Seq < l.Head.Seq {
			// What was vouched for was not so: the stream's order counts.
			l.Head = nil
		}
		t.begin(in.Stage, in.Message, false)
	}
}

// empty: the stream holds nothing more of this order. What was delivered and is
// not found is asked for once more, then left to the consumer.
func (t *step) empty(st events.Stage) {
	l, k := t.at(st)
	if !k.asked || k.task != nil {
		return
	}
	k.asked = false
	switch {
	case k.more:
		t.ask(st)
	case t.doubtedHead(st):
	case l.Head != nil:
		t.vanished(st)
	case len(k.unacked) > 0 && !k.missed:
		k.missed = true
		k.retry = t.spread(t.s.Probe)
	default:
		if len(k.unacked) > 0 {
			t.do(Alert{Why: AlarmVanished, Text: "a delivered message is not in its stream"})
		}
		k.unacked, k.missed, l.Behind = nil, false, false
		t.recovered(st)
	}
}

// vanished ends a head whose message is no longer in the stream.
func (t *step) vanished(st events.Stage) {
	l, _ := t.at(st)
	t.do(Alert{Why: AlarmVanished, Text: l.Head.EventID + " left its stream while it waited"})
	f := Fault{Kind: events.Internal, Reason: "the message left the stream before it could be done"}
	t.settle(st, t.deadVerdict(st, f), false)
}

// begin makes a message the current one. A message that is one of the newest settled
// ones sent twice needs no call to be known. A replay whose force was spent on
// the head before it has none left.
func (t *step) begin(st events.Stage, m Message, fresh bool) {
	l, k := t.at(st)
	if slices.Contains(l.Spent, seen(m.EventID, m.Replay)) {
		m.Forced = ""
	}
	if h := l.Head; h != nil && h.Forced != "" {
		m.Asked, m.Forced, m.Generation = h.Asked, h.Forced, h.Generation
	}
	m.Asked = m.Asked || st == events.Handle && t.unanswered(m.EventID, m.Replay)
	k.task = &task{Message: m, fresh: fresh}
	k.retry = zeroTime
	broke := k.broke
	if broke != nil && broke.Seq <= m.Seq {
		k.broke = nil
	}
	switch {
	case t.passed(st, m):
		t.pass(st, m)
	case broke != nil && broke.Seq == m.Seq:
		t.failed(mainAct(st), broke.Failure)
	case slices.Contains(l.Seen, seen(m.EventID, m.Replay)) && !t.unanswered(m.EventID, m.Replay):
		v := t.verdict(st, events.Ignored)
		v.DuplicateOf, v.Reason = m.EventID, "the same message was settled before"
		t.settle(st, v, true)
	case t.held(st):
	case st == events.Handle:
		k.task.pending = planning
		t.do(Plan{Seq: m.Seq})
	case t.gated(ActFetch):
	default:
		k.task.pending = fetching
		t.do(Fetch{Seq: m.Seq})
	}
}

// ackHeld acknowledges what is settled, waits on record, or follows a recorded head.
func (t *step) ackHeld(st events.Stage) {
	l, k := t.at(st)
	kept := k.unacked[:0]
	for _, seq := range k.unacked {
		if seq <= l.Cursor || l.Head != nil && seq >= l.Head.Seq {
			t.do(Ack{Stage: st, Seq: seq})
		} else {
			kept = append(kept, seq)
		}
	}
	k.unacked = kept
}

// next goes on with what may lie behind a settled message.
func (t *step) next(st events.Stage) {
	if l, k := t.at(st); l.Behind || k.more || len(k.unacked) > 0 {
		t.ask(st)
	}
}
