package operate

import (
	"context"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/inspect"
)

// LookAgain begins a new history of the store at a person's word, after writing that
// into the audit of every tenant: their owners then look at all that is stored again.
func LookAgain(ctx context.Context, b *bus.Bus, box *deadletter.Box, tenants []string, act deadletter.Act) error {
	if err := auditStore(ctx, box, deadletter.ActionRecover, tenants, act); err != nil {
		return err
	}
	_, err := history.KeeperOf(b, 0).Again(ctx, act.Who, act.Reason)
	return err
}

// AcknowledgeStore marks what does not fit as seen by a person, after writing that into
// the audit of every tenant. It says how many notes there were.
func AcknowledgeStore(ctx context.Context, b *bus.Bus, box *deadletter.Box, tenants []string, act deadletter.Act) (int, error) {
	r, err := inspect.StoreRecord(ctx, b)
	if err != nil || len(r.Open()) == 0 {
		return 0, err
	}
	if err := auditStore(ctx, box, deadletter.ActionAcknowledge, tenants, act); err != nil {
		return 0, err
	}
	return history.KeeperOf(b, 0).Acknowledge(ctx, act.Who)
}

func auditStore(ctx context.Context, box *deadletter.Box, action string, tenants []string, act deadletter.Act) error {
	for _, t := range tenants {
		if err := box.Note(ctx, deadletter.Audit{Action: action, Tenant: t, Who: act.Who, Reason: act.Reason}); err != nil {
			return err
		}
	}
	return nil
}
