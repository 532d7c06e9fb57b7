package work

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Prove looks, after an applied call, whether the query finds its handling record. Only then
// may a later look that finds none be believed.
func (w Order) Prove(ctx context.Context, act ledger.Call) {
	found := false
	defer func() {
		if !found {
			w.Proof.Release()
		}
	}()
	records, f := w.records(ctx, act.Bill)
	defer events.Guard(&f) // the order has no part in this
	for _, r := range records {
		found = found || strings.Contains(r.Remark, act.Marker)
	}
	if found {
		w.Owner.Proved(ctx)
	}
}

// proveQuery looks for a handling record of which an outcome event tells. Only if the query
// finds it may a look that finds none be believed. One order does it; others wait for it.
func (w Order) proveQuery(ctx context.Context) {
	end, ok := w.Proof.Search(ctx)
	if !ok {
		return
	}
	defer end()
	if !w.Proof.Claim() {
		return
	}
	tried := 0
	err := w.Owner.Applied(ctx, func(m bus.Stored) bool {
		ev := orders.EventOrZero(m)
		var out events.HandleOutcome
		if ev.Context == nil || json.Unmarshal(ev.Data(), &out) != nil || out.Marker == "" || out.Bill == nil {
			return true
		}
		tried++
		records, f := w.records(ctx, ledger.Bill{ID: out.Bill.ID, OrderNo: out.Bill.OrderNo})
		if f == nil && slices.ContainsFunc(records, func(r kingdee.DealRecord) bool { return strings.Contains(r.Remark, out.Marker) }) {
			w.Owner.Proved(ctx)
		}
		return tried < maxProofs && !w.Proof.Proven()
	})
	if err != nil || !w.Proof.Proven() {
		w.Proof.Release()
	}
}

// maxProofs bounds what a proof may cost.
const maxProofs = 3
