package dispatch

import (
	"context"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// lent is the owner as package work sees it.
type lent struct{ *owner }

// Begin waits until no call of an owner before can be running.
func (o lent) Begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := o.tenure.CallContext(ctx)
	if at := o.quietUntil(); at.After(time.Now()) && !wait.Until(ctx, at) {
		return ctx, cancel, context.Cause(ctx)
	}
	return ctx, cancel, nil
}

// RecordsLost reports whether orders' records are known to be lost.
func (o lent) RecordsLost() bool { return o.store.Lost() }

// Proved puts on record that the query for handling records has found one of ours.
func (o lent) Proved(ctx context.Context) { o.proved(ctx) }

// Applied visits the outcome events of applied calls until visit has seen enough.
func (o lent) Applied(ctx context.Context, visit func(bus.Stored) (more bool)) error {
	return o.store.Each(ctx, bus.Events, "gongdan."+events.Token(o.t.Name)+".event.kingdee.handle_order.applied.*", visit)
}

// Alert tells people of something about an order.
func (o lent) Alert(k orders.ID, x ledger.Alert) { o.alert(k, x) }

// alert tells people of something about an order.
func (o *owner) alert(k orders.ID, x ledger.Alert) {
	o.log.Error("alert", slog.String("why", string(x.Why)), slog.String("order", k.Key), slog.String("text", x.Text))
	o.d.meters.alert(o.ctx, o.t.Name, x.Why)
}
