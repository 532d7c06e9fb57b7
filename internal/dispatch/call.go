package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/sleep"
)

// maxNote is how many characters of clsmid, the marker included, are sent.
const maxNote = 500

func (a *actor) findBill(ctx context.Context, want ledger.Bill) (bill kingdee.Bill, f *events.Failure) {
	f = a.quick(ctx, a.o.apis.Reads, func(ctx context.Context) (err error) {
		if want.ID != "" {
			bill, err = a.o.t.Kingdee.FindWorkOrderByID(ctx, want.ID)
		} else {
			bill, err = a.o.t.Kingdee.FindWorkOrder(ctx, want.OrderNo)
		}
		return err
	})
	return bill, f
}

func (a *actor) readBill(act ledger.ReadBill) {
	h := &a.hands[1]
	ctx, p := a.context(events.Handle), h.plan
	a.begin(func(context.Context) (ledger.Input, func()) {
		var b kingdee.Bill
		var f *events.Failure
		switch {
		case p != nil && p.bill != nil:
			b = *p.bill
		case p != nil && p.fail != nil:
			f = p.fail
		default:
			b, f = a.findBill(ctx, act.Bill)
		}
		return ledger.BillRead{Bill: ledger.Bill{ID: b.ID, OrderNo: b.OrderNo}, Failure: f}, func() { h.fact.of(f) }
	})
}

func (a *actor) checkStatus(act ledger.CheckStatus) {
	ctx := a.context(events.Handle)
	a.begin(func(context.Context) (ledger.Input, func()) {
		b, f := a.findBill(ctx, act.Bill)
		return ledger.StatusRead{Status: b.Status, Failure: f}, nil
	})
}

// call makes the one handle-order. It is never repeated here after its first
// byte has left, and never begun after its deadline.
func (a *actor) call(act ledger.Call) {
	h := &a.hands[1]
	ctx := a.context(events.Handle)
	a.begin(func(context.Context) (ledger.Input, func()) {
		in := a.handleOrder(ctx, act)
		f := in.Failure
		return in, func() {
			h.fact.of(f)
			if f == nil && act.Marker != "" && a.o.proof.Claim() {
				// Beside the verdict, which must not wait for it.
				a.begin(func(context.Context) (ledger.Input, func()) {
					a.prove(ctx, act)
					return nil, nil
				})
			}
		}
	})
}

func (a *actor) handleOrder(ctx context.Context, act ledger.Call) (out ledger.Called) {
	defer events.Guard(&out.Failure)
	var body kingdee.Body
	if err := json.Unmarshal(act.Body, &body); err != nil {
		out.Failure = &events.Failure{Kind: events.Invalid, Reason: "the recorded body cannot be read", Err: err}
		return out
	}
	if act.Marker != "" {
		body.Note = ledger.WithMarker(body.Note, act.Marker, maxNote)
	}
	ctx, cancel := context.WithDeadline(ctx, act.Deadline)
	defer cancel()
	sleep.For(ctx, time.Until(act.After))
	if body, out = a.photos(ctx, body); out.Failure != nil {
		return out
	}
	crash("call")
	out.Failure = a.quick(ctx, a.o.apis.Writes, func(ctx context.Context) error {
		_, err := a.o.t.Kingdee.HandleOrder(ctx, kingdee.HandleOrder{ID: act.Bill.ID, Body: body})
		return err
	})
	crash("called")
	return out
}

// look searches the bill's handling records for a call in doubt.
func (a *actor) look(act ledger.Look) {
	ctx := a.context(events.Handle)
	a.begin(func(context.Context) (ledger.Input, func()) {
		return a.looking(ctx, act), nil
	})
}

func (a *actor) looking(ctx context.Context, act ledger.Look) (out ledger.Looked) {
	out.Sweep = act.Sweep
	defer events.Guard(&out.Failure)
	records, f := a.records(ctx, act.Bill, act.Markers...)
	switch {
	case f != nil && errors.Is(f, kingdee.ErrNotUnderstood):
		return out
	case f != nil:
		out.Failure = f
		return out
	}
	out.Understood = true
	if act.Marker != "" {
		for _, r := range records {
			if i := slices.IndexFunc(act.Markers, func(m string) bool { return strings.Contains(r.Remark, m) }); i >= 0 {
				out.Found++
				out.Marker = act.Markers[i]
			}
		}
	} else {
		out.Found, out.Understood = a.alike(records, act)
	}
	switch {
	case out.Found > 0 && act.Marker != "":
		a.o.proved(ctx)
	case a.o.lost():
		a.proveQuery(ctx)
	}
	out.Control = a.o.proof.Proven()
	return out
}

// alike counts the records that look like the body beyond those that we have
// applied; not known where the vendor leaves out what would tell.
func (a *actor) alike(records []kingdee.DealRecord, act ledger.Look) (int, bool) {
	var body kingdee.Body
	if json.Unmarshal(act.Body, &body) != nil {
		return 0, false
	}
	n := 0
	for _, r := range records {
		same, known := r.Matches(body)
		if !known {
			return 0, false
		}
		if same {
			n++
		}
	}
	return max(0, n-act.Applied), true
}

func (a *actor) records(ctx context.Context, b ledger.Bill, judged ...string) (records []kingdee.DealRecord, f *events.Failure) {
	f = a.quick(ctx, a.o.apis.Reads, func(ctx context.Context) (err error) {
		records, err = a.o.t.Kingdee.DealRecords(ctx, b.OrderNo)
		return err
	})
	a.markers(ctx, b, records, judged)
	return records, f
}

// markers looks through handling records for ours, whoever asked for them: one proves
// that the query shows them, two with the same marker are a double. Of those that are judged
// the ledger says so.
func (a *actor) markers(ctx context.Context, b ledger.Bill, records []kingdee.DealRecord, judged []string) {
	n := map[string]int{}
	for _, r := range records {
		m := ledger.FindMarker(r.Remark)
		if n[m]++; m != "" && n[m] == 2 && !slices.Contains(judged, m) && a.o.doubles.FirstTime(m) {
			a.alert(ledger.Alert{Why: ledger.AlarmDoubled, Text: "two handling records of bill " + b.OrderNo + " carry " + m})
		}
	}
	if delete(n, ""); len(n) > 0 && a.o.lost() {
		a.o.proved(ctx)
	}
}

// prove looks, after an applied call, whether the query finds
// its record: only then may a later look be believed that finds none.
func (a *actor) prove(ctx context.Context, act ledger.Call) {
	found := false
	defer func() {
		if !found {
			a.o.proof.Release()
		}
	}()
	records, f := a.records(ctx, act.Bill)
	defer events.Guard(&f) // the order has no part in this
	for _, r := range records {
		found = found || strings.Contains(r.Remark, act.Marker)
	}
	if found {
		a.o.proved(ctx)
	}
}
