package ownership

import (
	"context"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// ErrLost is why a tenure ended: its lease is over, another instance has the claim, or
// the tenant was given up. It is a failure of the kind Interrupted: it spends no try.
var ErrLost error = &events.Failure{Kind: events.Interrupted, Reason: "this replica does not own the tenant any more"}

// Tenure is the right to act for one tenant, from a claim to its loss or release.
// Its fields never change. All methods may be called concurrently.
type Tenure struct {
	Tenant   string
	Instance string
	Epoch    uint64    // grows from tenure to tenure of the tenant
	Fence    bus.Fence // every write to a record of the tenant carries it
	Since    time.Time // when the claim was taken

	// CleanHandover means that no vendor call of an earlier owner can still be
	// running. Without it no call may be made before QuietUntil: the owner before died
	// or was cut off, and its calls may run for as long as a call may take.
	CleanHandover bool
	QuietUntil    time.Time // zero after a clean handover

	lease  *lease // nil: bounded by the context alone
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Grant returns a tenure that is bounded by ctx only, without lease or claim. It is for
// tests of code that runs under a tenure.
func Grant(ctx context.Context, tenant string, epoch uint64, f bus.Fence) *Tenure {
	t := &Tenure{Tenant: tenant, Epoch: epoch, Fence: f, Since: time.Now(), CleanHandover: true}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	return t
}

// Context ends with the tenure; its cause is then [ErrLost]. It does not end with a soft
// stop: work in progress may finish under it.
func (t *Tenure) Context() context.Context { return t.ctx }

// Check returns nil while the tenure holds. Call it right before every act that only the
// owner may do, above all before the first byte of a vendor request. It reads the clock,
// so that it refuses a process that was stopped and woken before any timer has fired. It
// costs well under a microsecond and sends no request. The error is ErrLost, or ctx's
// cause.
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

// CallContext returns ctx, which also ends with the tenure: at the lease's end, which every
// renewal extends, at the loss of the claim, or at a hard stop. Call the function when
// the call is done.
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

// Lost ends the tenure, and the stages are stopped hard. Call it after [bus.ErrFenced].
// Another call does nothing.
func (t *Tenure) Lost() { t.cancel(ErrLost) }

// quiet is true once no call of an earlier owner can be running.
func (t *Tenure) quiet(now time.Time) bool {
	return t.CleanHandover || !now.Before(t.QuietUntil)
}
