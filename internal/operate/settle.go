package operate

import (
	"context"
	"errors"
	"fmt"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// ErrGoneOn says of a letter that its order no longer waits with it.
var ErrGoneOn = errors.New("the order no longer waits with this letter; replay or discard it")

// SettleRequest says what becomes of an order that waits with a letter.
type SettleRequest struct {
	Decision
	Number uint64
	Word   ledger.Word
}

// Settle tells the owner of the letter's order, then closes the letter. It closes
// nothing where the owner refuses.
func (a *Acts) Settle(ctx context.Context, r SettleRequest) (deadletter.Open, error) {
	l, err := a.Letter(ctx, r.Number)
	if err != nil {
		return l.Open, err
	}
	if err := a.settle(ctx, l, r); err != nil {
		return l.Open, fmt.Errorf("dead letter %d: %w", r.Number, err)
	}
	return l.Open, a.box.Settled(ctx, l.Open, string(r.Word), deadletter.Act{Who: r.Who, Reason: r.Reason})
}

func (a *Acts) settle(ctx context.Context, l Letter, r SettleRequest) error {
	switch {
	case r.Reason == "":
		return deadletter.ErrNeedsReason
	case !l.Waits:
		return ErrGoneOn
	}
	if err := deadletter.Auditable(ctx, a.o.Bus.Usage); err != nil {
		return err
	}
	return orders.Ask(ctx, a.o.Bus, l.Tenant, orders.VerbSettle, orders.Request{
		Stage: l.Stage, Noun: l.Noun, Key: l.Key, Sequence: l.Sequence, Word: r.Word, Who: r.Who, Why: r.Reason,
	})
}
