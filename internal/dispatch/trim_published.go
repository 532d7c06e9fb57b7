package dispatch

import (
	"context"
	"errors"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// acknowledged reports whether a message was acknowledged for good, and so what
// its verdict implies was published before, whether or not the stream still has
// it: outcomes leave their stream by age and by trimming, and the record of an
// order at rest says of its last verdict only that it may not be published. An
// order that is listed may have been acknowledged because it waited: of that one
// nothing follows.
func (a *actor) acknowledged(ctx context.Context, p ledger.Publish) (bool, error) {
	if a.listed {
		return false, nil
	}
	// An actor that a delivery made, since its order was let go, does not know.
	if _, err := a.o.d.state.Get(ctx, orders.WaitKey(a.o.t.Name, a.key)); !errors.Is(err, bus.ErrNotFound) {
		return false, err
	}
	floor, err := orders.FloorOf(ctx, a.o.d.state, a.o.d.o.Ports.Inbox, a.o.t.Name, orders.Queue{Stage: p.Stage, Noun: a.key.Noun})
	return p.Seq <= floor, err
}
