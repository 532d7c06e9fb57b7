package operate

import (
	"context"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/orders"
)

// StageRequest names a stage of a tenant.
type StageRequest struct {
	Decision
	Tenant string
	Stage  events.Stage
}

// Pause has the tenant's owner stop a stage until it is resumed. It returns the pause that
// the stage had before, nil for none; such a stage keeps that pause.
func (a *Acts) Pause(ctx context.Context, r StageRequest) (was *inspect.Pause, err error) {
	return a.hold(ctx, r, orders.VerbPause, deadletter.ActionPause)
}

// Resume has the tenant's owner let a paused stage go on. It returns the pause that it
// ended, nil where the stage had none.
func (a *Acts) Resume(ctx context.Context, r StageRequest) (was *inspect.Pause, err error) {
	return a.hold(ctx, r, orders.VerbResume, deadletter.ActionResume)
}

// hold asks the owner, and then writes the audit, in which there must be space. What
// changed nothing is not written.
func (a *Acts) hold(ctx context.Context, r StageRequest, verb, action string) (*inspect.Pause, error) {
	if _, err := a.tenant(r.Tenant); err != nil {
		return nil, err
	}
	if err := deadletter.Auditable(ctx, a.o.Bus.Usage); err != nil {
		return nil, err
	}
	record, err := orders.AskStage(ctx, a.o.Bus, r.Tenant, verb, orders.Request{Stage: r.Stage, Who: r.Who, Why: r.Reason})
	if err != nil {
		return nil, err
	}
	var was *inspect.Pause
	if record != nil {
		was = &inspect.Pause{Stage: r.Stage, Who: record.Who, Why: record.Why, At: record.At}
	}
	if verb == orders.VerbPause && was != nil {
		return was, nil
	}
	return was, a.box.Note(ctx, deadletter.Audit{Action: action, Tenant: r.Tenant, Stage: r.Stage, Who: r.Who, Reason: r.Reason})
}

// Pauses are the paused stages of a tenant, or of all tenants where none is named, by
// tenant.
func (a *Acts) Pauses(ctx context.Context, tenant string) (map[string][]inspect.Pause, error) {
	tenants, err := a.Tenants(tenant)
	if err != nil {
		return nil, err
	}
	out := map[string][]inspect.Pause{}
	for _, t := range tenants {
		list, err := inspect.Pauses(ctx, a.o.Bus, t)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			out[t] = list
		}
	}
	return out, nil
}
