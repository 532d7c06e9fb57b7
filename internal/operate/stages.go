package operate

import (
	"context"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
)

// StageRequest names a stage of a tenant.
type StageRequest struct {
	Decision
	Tenant string
	Stage  events.Stage
}

// Pause has the tenant's owner stop a stage until it is resumed.
func (a *Acts) Pause(ctx context.Context, r StageRequest) error { return a.hold(ctx, r, true) }

// Resume has the tenant's owner let a paused stage go on.
func (a *Acts) Resume(ctx context.Context, r StageRequest) error { return a.hold(ctx, r, false) }

// hold asks the owner, and then writes the audit, in which there must be space.
func (a *Acts) hold(ctx context.Context, r StageRequest, on bool) error {
	if _, err := a.tenant(r.Tenant); err != nil {
		return err
	}
	verb, action := orders.VerbResume, deadletter.ActionResume
	if on {
		verb, action = orders.VerbPause, deadletter.ActionPause
	}
	if err := deadletter.Auditable(ctx, a.o.Bus.Usage); err != nil {
		return err
	}
	if err := orders.Ask(ctx, a.o.Bus, r.Tenant, verb, orders.Request{Stage: r.Stage, Who: r.Who, Why: r.Reason}); err != nil {
		return err
	}
	return a.box.Note(ctx, deadletter.Audit{Action: action, Tenant: r.Tenant, Stage: r.Stage, Who: r.Who, Reason: r.Reason})
}
