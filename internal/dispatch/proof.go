package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"gongdan-bridge/internal/bus"
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
	if json.Unmarshal(e.Value, &p) == nil && p.Proven && (!o.lost() || p.History == o.store.History) {
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
	value, err := json.Marshal(proofRecord{true, o.store.History})
	if err == nil {
		_, err = o.d.state.PutFenced(ctx, orders.ProofKey(o.t.Name), value, o.tenure.Fence)
	}
	if err != nil {
		o.log.Debug("proof of the query not recorded", slog.String("cause", err.Error()))
	}
}
