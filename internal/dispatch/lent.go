package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// loadProof takes over what an owner before has proved.
func (o *owner) loadProof(ctx context.Context) error {
	e, err := o.d.state.Get(ctx, orders.ProofKey(o.t.Name))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var p proofRecord
	// Where records were lost, the proof must be made once more.
	if json.Unmarshal(e.Value, &p) == nil && p.Proven && (!o.store.Lost() || p.History == o.store.History()) {
		o.proof.Prove()
	}
	return nil
}

// proofRecord is the proof of the query for handling records, as bucket STATE keeps it.
type proofRecord struct {
	Proven  bool   `json:"proven"`
	History string `json:"history,omitempty"` // of the store, in which it was proved
}

// proved puts on record that the query has found one of our handling records.
func (o *owner) proved(ctx context.Context) {
	if !o.proof.Prove() {
		return
	}
	value, err := json.Marshal(proofRecord{true, o.store.History()})
	if err == nil {
		_, err = o.d.state.PutFenced(ctx, orders.ProofKey(o.t.Name), value, o.tenure.Fence)
	}
	if err != nil {
		o.log.Debug("proof of the query not recorded", slog.String("cause", err.Error()))
	}
}

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
