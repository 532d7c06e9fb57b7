package proof

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/fakekingdee"
)

// clerk is the operator: whoever finds a letter that waits for a word looks into
// Kingdee for the truth, says it, and closes the letter.
type clerk struct {
	in      *installation
	leave   func() // no further letter is looked at; may be called twice
	bus     *bus.Bus
	settled atomic.Int64
	sent    atomic.Int64 // told to send again
	refused atomic.Int64
	trouble atomic.Value // the last that went wrong, as text
}

// clerk sets one to work until the test ends.
func (in *installation) clerk(b *books) *clerk {
	ctx, cancel := context.WithCancel(in.t.Context())
	k := &clerk{in: in, bus: b.bus}
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.work(ctx)
	}()
	k.leave = func() {
		cancel()
		<-done
	}
	in.t.Cleanup(func() {
		k.leave()
		if in.t.Failed() {
			in.t.Logf("the clerk's last trouble: %v", k.trouble.Load())
		}
	})
	return k
}

// work looks through the letters until ctx ends.
func (k *clerk) work(ctx context.Context) {
	for ctx.Err() == nil {
		if err := k.round(ctx); err != nil {
			k.trouble.Store(err.Error()) // the bridge may be down at the moment; the next round comes
		}
		pause(ctx, 300*time.Millisecond)
	}
}

func (k *clerk) round(ctx context.Context) error {
	box := deadletter.NewBox(k.bus, time.Now)
	return box.All(ctx, deadletter.Filter{}, func(l deadletter.Open) error {
		if !l.Waiting {
			return nil
		}
		return k.settle(ctx, box, l)
	})
}

func (k *clerk) settle(ctx context.Context, box *deadletter.Box, l deadletter.Open) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	word := ledger.TryAgain
	if l.Marker != "" && l.Bill != nil {
		word = ledger.SendAgain
		if k.truth(l) {
			word = ledger.SettleApplied
		}
	}
	err := orders.Ask(ctx, k.bus, l.Tenant, orders.VerbSettle, orders.Request{
		Stage: l.Stage, Noun: l.Noun, Key: l.Key, Sequence: l.Sequence, Word: word, Who: "clerk", Why: "looked at the bill",
	})
	switch {
	case err == nil && word == ledger.SendAgain:
		k.sent.Add(1)
	case err == nil:
		k.settled.Add(1)
	case errors.Is(err, orders.ErrRefused) && strings.Contains(err.Error(), "no such event waits"),
		errors.Is(err, orders.ErrRefused) && strings.Contains(err.Error(), "does not wait for a person"):
		// An earlier word has reached it, although its answer was lost.
	default:
		k.refused.Add(1)
		k.trouble.Store(err.Error())
		return nil
	}
	return box.Settled(ctx, l, string(word), deadletter.Act{Who: "clerk", Reason: "looked at the bill"})
}

// truth looks whether the bill has the letter's record.
func (k *clerk) truth(l deadletter.Open) bool {
	there := k.in.Tenant(l.Tenant).Kingdee.Records(l.Bill.OrderNo)
	return slices.ContainsFunc(there, func(r fakekingdee.DealRecord) bool { return markerOf(r) == l.Marker })
}
