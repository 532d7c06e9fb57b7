package operate

import (
	"context"
	"errors"
	"fmt"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

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
	waits, err := inspect.Waits(ctx, b, o)
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
