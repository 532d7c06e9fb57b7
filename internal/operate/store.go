package operate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/sleep"
)

// Store is what of the store does not fit, and how far its recovery is for the given
// tenants. It writes nothing.
func (a *Acts) Store(ctx context.Context, tenants []string) (inspect.StoreState, error) {
	s, err := inspect.StoreOf(ctx, a.o.Bus, a.o.Silence, tenants)
	if err == nil {
		s.Unknown = append(s.Unknown, unknown(s, a.o.Tenants)...)
	}
	return s, err
}

// unknown is what nothing that is stored can tell of a store that did not fit.
func unknown(s inspect.StoreState, tenants []Tenant) (out []string) {
	if s.Lost {
		out = append(out, "records were lost: a call whose outcome is not in EVENTS any more is known only by the handling record that Kingdee shows for it")
	}
	if slices.ContainsFunc(append(s.Notes, s.Found...), func(n history.Note) bool { return n.Store == bus.Audit }) {
		out = append(out, "AUDIT was lost: which letters people had closed before is not known")
	}
	if !s.Lost && s.Stale.IsZero() {
		return out
	}
	for _, t := range tenants {
		if !t.Marker {
			out = append(out, "tenant "+t.Name+" has marker: false: Kingdee cannot be asked whether an earlier call was made, so each such event becomes a letter")
		}
	}
	return out
}

// Owners are who works for each tenant, those included that have no owner.
func (a *Acts) Owners(ctx context.Context) ([]inspect.Owner, error) {
	all, err := a.Tenants("")
	if err != nil {
		return nil, err
	}
	return inspect.Owners(ctx, a.o.Bus, all, a.o.Silence)
}

// LookAgain begins a new history of the store, so that the owners look at everything
// that is stored again. It is an error if one of the given tenants has no owner; the
// next owner then looks.
func (a *Acts) LookAgain(ctx context.Context, d Decision, tenants []string) error {
	list, err := a.Owners(ctx)
	if err != nil {
		return err
	}
	if d.Reason == "" {
		return deadletter.ErrNeedsReason
	}
	if err := a.auditStore(ctx, deadletter.ActionRecover, d); err != nil {
		return err
	}
	if _, err := history.KeeperOf(a.o.Bus, 0).Again(ctx, d.Who, d.Reason); err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(o inspect.Owner) bool { return !slices.Contains(tenants, o.Tenant) })
	if err := inspect.Unowned(list); err != nil {
		return fmt.Errorf("%w: it is looked at again as soon as a dispatcher does", err)
	}
	return nil
}

// AwaitRecovery returns when the owners of the given tenants have looked at everything
// again. The end of ctx ends only the waiting.
func (a *Acts) AwaitRecovery(ctx context.Context, tenants []string, tell inspect.Progress) error {
	for {
		done, err := recovered(ctx, a.o.Bus, tenants)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return err
		case done == len(tenants):
			return nil
		}
		tell("tenants looked at again", uint64(done), uint64(len(tenants)))
		if !sleep.For(ctx, 200*time.Millisecond) {
			return fmt.Errorf("not waited for any longer; the dispatchers go on, and dispatcher recover shows how far they are: %w", context.Cause(ctx))
		}
	}
}

// recovered counts the tenants that have been looked at again.
func recovered(ctx context.Context, b *bus.Bus, tenants []string) (done int, err error) {
	r, err := inspect.StoreRecord(ctx, b)
	if err != nil {
		return 0, err
	}
	how, err := inspect.Recoveries(ctx, b, r, tenants)
	for _, x := range how {
		if x.State == inspect.RecoverDone {
			done++
		}
	}
	return done, err
}

// Acknowledge marks what does not fit as seen, and counts it.
func (a *Acts) Acknowledge(ctx context.Context, d Decision) (int, error) {
	r, err := inspect.StoreRecord(ctx, a.o.Bus)
	if err != nil || len(r.Open()) == 0 {
		return 0, err
	}
	if err := a.auditStore(ctx, deadletter.ActionAcknowledge, d); err != nil {
		return 0, err
	}
	return history.KeeperOf(a.o.Bus, 0).Acknowledge(ctx, d.Who)
}

// auditStore writes an act on the whole store into the audit of every tenant.
func (a *Acts) auditStore(ctx context.Context, action string, d Decision) error {
	for _, t := range a.o.Tenants {
		if err := a.box.Note(ctx, deadletter.Audit{Action: action, Tenant: t.Name, Who: d.Who, Reason: d.Reason}); err != nil {
			return err
		}
	}
	return nil
}
