package dispatch

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

// proveQuery looks for a record that outcome events say is there: only if the query
// finds one of ours may its silence be believed. Orders that need it wait for one of
// them to have done it.
func (a *actor) proveQuery(ctx context.Context) {
	o := a.o
	end, ok := o.proof.Search(ctx)
	if !ok {
		return
	}
	defer end()
	if !o.proof.Claim() {
		return
	}
	tried := 0
	subject := "gongdan." + events.Token(o.t.Name) + ".event.kingdee.handle_order.applied.*"
	err := o.each(ctx, bus.Events, subject, func(m bus.Stored) bool {
		ev := orders.EventOrZero(m)
		var out events.HandleOutcome
		if ev.Context == nil || json.Unmarshal(ev.Data(), &out) != nil || out.Marker == "" || out.Bill == nil {
			return true
		}
		tried++
		records, f := a.records(ctx, ledger.Bill{ID: out.Bill.ID, OrderNo: out.Bill.OrderNo})
		if f == nil && slices.ContainsFunc(records, func(r kingdee.DealRecord) bool { return strings.Contains(r.Remark, out.Marker) }) {
			o.proved(ctx)
		}
		return tried < maxProofs && !o.proof.Proven()
	})
	if err != nil || !o.proof.Proven() {
		o.proof.Release()
	}
}

// maxProofs bounds what a proof may cost.
const maxProofs = 3
