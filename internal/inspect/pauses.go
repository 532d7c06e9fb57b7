package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Pause is that of a stage, by an operator's word.
type Pause struct {
	Stage events.Stage `json:"stage"`
	Who   string       `json:"who"`
	Why   string       `json:"why,omitempty"`
	At    time.Time    `json:"at"`
}

// Pauses are the stages of a tenant that operators have paused.
func Pauses(ctx context.Context, b *bus.Bus, tenant string) ([]Pause, error) {
	var out []Pause
	for _, s := range ledger.Stages {
		e, err := b.Bucket(bus.State).Get(ctx, orders.PauseKey(tenant, s))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("pauses of %s: %w", tenant, err)
		}
		var m orders.PauseRecord
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return nil, fmt.Errorf("pauses of %s: stage %s: %w", tenant, s, err)
		}
		out = append(out, Pause{Stage: s, Who: m.Who, Why: m.Why, At: m.At})
	}
	return out, nil
}

// Waits reports whether an order waits with this very letter. A letter of a
// waiting order outlives the wait where the order went on by other means, and
// where a settling died before it closed the letter.
func Waits(ctx context.Context, b *bus.Bus, o deadletter.Open) (bool, error) {
	if !o.Waiting {
		return false, nil
	}
	r, err := orders.ReadRecord(ctx, b.Bucket(bus.State), o.Tenant, orders.ID{Noun: o.Noun, Key: o.Key})
	if err != nil {
		return false, fmt.Errorf("dead letter %d: its order's record: %w", o.Number, err)
	}
	h := r.Progress(o.Stage).Head
	return h != nil && h.Why == ledger.Held && h.Is(o.Sequence), nil
}

// NounsOf are the nouns of which a key of a tenant has a record.
func NounsOf(ctx context.Context, b *bus.Bus, tenant, key string) ([]events.Noun, error) {
	var out []events.Noun
	for _, n := range []events.Noun{events.WorkOrder, events.Opportunity} {
		_, err := b.Bucket(bus.State).Get(ctx, orders.RecordKey(tenant, orders.ID{Noun: n, Key: key}))
		switch {
		case errors.Is(err, bus.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("order %s of %s: %w", key, tenant, err)
		default:
			out = append(out, n)
		}
	}
	return slices.Clip(out), nil
}
