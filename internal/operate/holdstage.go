// Package operate holds every act of a person, once: subcommands and the console call it.
// An act is written into the audit before it is done.
package operate

import (
	"context"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
)

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
