package ownership

import (
	"context"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// ErrLost is why a tenure ended: its lease is over, its claim is another's, or it
// was given up. It is a failure of the kind Interrupted: no try is spent on it.
var ErrLost error = &events.Failure{Kind: events.Interrupted, Reason: "this replica does not own the tenant any more"}

// Tenure is the right to act for one tenant, from a claim to its loss or release.
// Its fields never change. All methods may be called concurrently.
type Tenure struct {
	Tenant   string
	Instance string
	Epoch    uint64    // grows from tenure to tenure of the tenant
	Fence    bus.Fence // every write to a record of the tenant carries it
	Since    time.Time // when the claim was taken

	// CleanHandover says that nobody's vendor call can still be running. Without
	// it no call may be made before QuietUntil: the owner before died, or was cut
	// off, and calls of its own may run on for as long as a call may take.
	CleanHandover bool
	QuietUntil    time.Time // zero after a clean handover

	lease  *lease // nil: bounded by the context alone
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Grant makes a tenure that is bounded by ctx alone, without lease or claim: for
// tests of what runs under one.
func Grant(ctx context.Context, tenant string, epoch uint64, f bus.Fence) *Tenure {
	t := &Tenure{Tenant: tenant, Epoch: epoch, Fence: f, Since: time.Now(), CleanHandover: true}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	return t
}

// Context ends with the tenure; its cause is then [ErrLost]. It outlives a soft
// stop: what is in hand may be finished under it.
func (t *Tenure) Context() context.Context { return t.ctx }

// Check is asked right before anything that only the owner may do, above all right
// before a vendor request's first byte. It reads the clock itself, so that a process
// that was stopped and woken is refused before any of its timers has fired. It costs
// well under a microsecond and calls nobody. The error is ErrLost, or ctx's cause.
func (t *Tenure) Check(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.lease != nil && !t.lease.live() {
		t.Lost()
	}
	if t.ctx.Err() != nil {
		return fmt.Errorf("tenant %s, epoch %d: %w", t.Tenant, t.Epoch, context.Cause(t.ctx))
	}
	return nil
}

// CallContext is ctx, ended also with the tenure: by the lease's end, which every
// renewal moves on, by the claim's loss, or by a hard stop. Call cancel when the
// call is done.
func (t *Tenure) CallContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if err := t.Check(ctx); err != nil {
		cancel(err)
	}
	unlink := context.AfterFunc(t.ctx, func() { cancel(context.Cause(t.ctx)) })
	return ctx, func() {
		unlink()
		cancel(context.Canceled)
	}
}

// Lost ends the tenure: to be called by whoever is answered [bus.ErrFenced]. Calling
// it again does nothing. The stages are then stopped hard.
func (t *Tenure) Lost() { t.cancel(ErrLost) }

// quiet is true once no call of an owner before can be running.
func (t *Tenure) quiet(now time.Time) bool {
	return t.CleanHandover || !now.Before(t.QuietUntil)
}
