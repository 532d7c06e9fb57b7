package operate

import (
	"context"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
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

func (a *Acts) hold(ctx context.Context, r StageRequest, on bool) error {
	if _, err := a.tenant(r.Tenant); err != nil {
		return err
	}
	return HoldStage(ctx, a.o.Bus, a.box, r.Tenant, r.Stage, on, deadletter.Act{Who: r.Who, Reason: r.Reason})
}
