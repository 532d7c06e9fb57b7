package ledger

import (
	"bytes"
	"encoding/json"
	"time"

	"gongdan-bridge/internal/events"
)

// planned decides, before any call, what an event is worth: done already, of no
// interest, too late, or a handle-order.
func (t *step) planned(p Planned) {
	k := t.waitingFor(events.Handle, planning)
	if k == nil || t.held(events.Handle) {
		return
	}
	p = p.tidy()
	k.plan, k.pending = &p, ""
	if i := t.unsure(k); i >= 0 && (k.Asked || k.Forced != "") {
		k.revived = true
		t.enter(*t.o.Record.Effects[i].Bill)
		return
	}
	if by, ok := t.duplicate(k); ok {
		t.ignore("its effect is known already", by)
		return
	}
	switch {
	case p.Failure != nil:
		t.failed(ActPlan, p.Failure)
	case p.NoRule && p.Otherwise:
		t.refuse(events.Unmapped, "no rule wants it, and the mapping asks for a letter then")
	case p.NoRule:
		t.ignore("no_rule", "")
	case len(p.Body) > MaxBody || len(p.IDs) == 0 || !json.Valid(p.Body):
		t.refuse(events.Invalid, "the mapped body is too large, not JSON, or has no identity")
	case t.isLate(k.Message):
		t.late(p.Late)
	default:
		t.findBill()
	}
}

// isLate reports whether a later event was applied before; a person may force it.
func (t *step) isLate(m Message) bool {
	return m.Forced == "" && m.Position != "" && m.Position < t.newest()
}

// newest is the position of the newest event applied, "" where there is none. One
// of the far future is none: it was written before such times were refused, and
// would make every event late until then.
func (t *step) newest() string {
	if p := t.o.Record.Applied; age(p, t.m.At) > -farFuture {
		return p
	}
	return ""
}

// farFuture is beyond what a vendor's time may be ahead of its arrival.
const farFuture = 24 * time.Hour

// late decides on an event older than what was applied.
func (t *step) late(policy Late) {
	switch policy {
	case LateApply:
		t.findBill()
	case LateSkip:
		t.conclude(events.Handle, Superseded)
		v := t.verdict(events.Handle, events.Superseded)
		v.Reason = "a later event was applied before"
		t.settle(events.Handle, v, false)
	default:
		t.refuse(events.Rejected, "it is older than what was applied to the bill")
	}
}

// ignore ends the message without a call.
func (t *step) ignore(reason, duplicateOf string) {
	if duplicateOf == "" {
		t.conclude(events.Handle, Ignored)
	}
	v := t.verdict(events.Handle, events.Ignored)
	v.Reason, v.DuplicateOf = reason, duplicateOf
	v.DryRun = reason == dryRun
	t.settle(events.Handle, v, false)
}

// refuse ends the message with a letter of our own making.
func (t *step) refuse(kind events.Kind, reason string) {
	t.conclude(events.Handle, Dead)
	f := Fault{Kind: kind, Reason: reason}
	if k := t.o.stages[1].task; k != nil && k.plan != nil {
		f.Rule = k.plan.Rule
	}
	t.dead(events.Handle, f)
}

// findBill: the id is read once and kept; a corrected number is read again.
func (t *step) findBill() {
	k := t.o.stages[1].task
	have, want := t.o.Record.Bill, k.plan.Bill
	if have != nil && have.ID != "" && (want.OrderNo == have.OrderNo || want.OrderNo == "") &&
		(want.ID == have.ID || want.ID == "") {
		t.enter(*have)
		return
	}
	if t.gated(ActBill) {
		return
	}
	k.pending = billing
	t.do(ReadBill{Bill: want})
}

func (t *step) billRead(in BillRead) {
	k := t.waitingFor(events.Handle, billing)
	if k == nil {
		return
	}
	if in.Failure != nil {
		t.failed(ActBill, in.Failure)
		return
	}
	b := in.Bill.tidy()
	t.o.Record.Bill = &b
	t.enter(b)
}

// enter keeps every other order out of the bill until this one is through.
func (t *step) enter(b Bill) {
	k := t.o.stages[1].task
	k.bill, k.pending = b, entering
	t.do(Enter{Bill: b})
}

func (t *step) entered(in Entered) {
	k := t.waitingFor(events.Handle, entering)
	if k == nil {
		return
	}
	if in.Busy {
		w := pauseFor{why: NoBill, next: t.spread(t.s.LockWait)}
		if h := t.o.Record.Handle.Head; h != nil {
			w.on = h.On // its tries are not forgotten for that
		}
		t.wait(events.Handle, w)
		return
	}
	b := k.bill
	t.o.lock = &b
	switch {
	case k.revived:
		t.revive()
	case t.s.CheckStatus && !k.plan.Reopening && k.Forced == "":
		if !t.gated(ActStatus) {
			k.pending = checking
			t.do(CheckStatus{Bill: k.bill})
		}
	default:
		t.intend()
	}
}

// statusRead: a bill that a person has finished is left alone. The status of
// a call that we applied ourselves is no person's.
func (t *step) statusRead(in StatusRead) {
	k := t.waitingFor(events.Handle, checking)
	if k == nil {
		return
	}
	switch {
	case in.Failure != nil:
		t.failed(ActStatus, in.Failure)
	case (in.Status == "H" || in.Status == "G") && in.Status != t.o.Record.Status:
		t.refuse(events.Rejected, "a person has finished the bill (status "+in.Status+")")
	default:
		t.intend()
	}
}

// leave releases the lock on the bill.
func (t *step) leave() {
	if t.o.lock != nil {
		t.do(Leave{Bill: *t.o.lock})
		t.o.lock = nil
	}
}

// tidy bounds what the mapping says and makes the body compact, so that a
// record gives it back byte for byte.
func (p Planned) tidy() Planned {
	p.Rule, p.Mapping = clean(p.Rule, maxName), clean(p.Mapping, maxName)
	p.Like, p.Status = clean(p.Like, maxName), clean(p.Status, maxName)
	p.Bill = p.Bill.tidy()
	p.IDs = tidyIDs(p.IDs)
	var b bytes.Buffer
	if json.Compact(&b, p.Body) == nil {
		p.Body = b.Bytes()
	}
	return p
}

func (b Bill) tidy() Bill {
	return Bill{ID: clean(b.ID, maxName), OrderNo: clean(b.OrderNo, maxName)}
}
