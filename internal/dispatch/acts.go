package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// HoldStage pauses a tenant's stage, or lets it go on, through the tenant's
// owner, and writes that into the audit.
func HoldStage(ctx context.Context, b *bus.Bus, box *deadletter.Box, tenant string, s events.Stage, on bool, act deadletter.Act) error {
	verb, action := orders.VerbResume, deadletter.ActionResume
	if on {
		verb, action = orders.VerbPause, deadletter.ActionPause
	}
	if err := deadletter.Auditable(ctx, b.Usage); err != nil {
		return err
	}
	if err := orders.Ask(ctx, b, tenant, verb, orders.Request{Stage: s, Who: act.Who, Why: act.Reason}); err != nil {
		return err
	}
	return box.Note(ctx, deadletter.Audit{Action: action, Tenant: tenant, Stage: s, Who: act.Who, Reason: act.Reason})
}

// ErrGoneOn says of a letter that its order no longer waits with it.
var ErrGoneOn = errors.New("the order no longer waits with this letter; replay or discard it")

// Settle brings a person's word on the order of a waiting letter to the owner,
// then closes the letter. A word that the owner refuses closes nothing.
func Settle(ctx context.Context, b *bus.Bus, box *deadletter.Box, number uint64, word ledger.Word, act deadletter.Act) (deadletter.Open, error) {
	o, err := box.Get(ctx, number)
	if err != nil {
		return o, err
	}
	if act.Reason == "" {
		return o, fmt.Errorf("dead letter %d: %w", number, deadletter.ErrNeedsReason)
	}
	waits, err := Waits(ctx, b, o)
	if err != nil {
		return o, err
	}
	if !waits {
		return o, fmt.Errorf("dead letter %d: %w", number, ErrGoneOn)
	}
	if err := deadletter.Auditable(ctx, b.Usage); err != nil {
		return o, fmt.Errorf("dead letter %d: %w", number, err)
	}
	err = orders.Ask(ctx, b, o.Tenant, orders.VerbSettle, orders.Request{
		Stage: o.Stage, Noun: o.Noun, Key: o.Key, Sequence: o.Sequence, Word: word, Who: act.Who, Why: act.Reason,
	})
	if err != nil {
		return o, fmt.Errorf("dead letter %d: %w", number, err)
	}
	return o, box.Settled(ctx, o, string(word), act)
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
