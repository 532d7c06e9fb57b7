package operate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/textfile"
)

// rules are one tenant's mapping and the rows that operators have added, as they are
// when they are loaded.
type rules struct {
	*Acts
	tenant  Tenant
	store   *tables.Store
	rows    *tables.Live
	mapping *mapping.Mapping
}

// of finds the tenant and loads nothing yet.
func (a *Acts) of(tenant string) (*rules, error) {
	t, err := a.tenant(tenant)
	return &rules{Acts: a, tenant: t, store: tables.NewStore(a.o.Bus, time.Now)}, err
}

// load finds the tenant and loads rows and mapping.
func (a *Acts) load(ctx context.Context, tenant string) (*rules, error) {
	r, err := a.of(tenant)
	if err == nil {
		err = r.load(ctx)
	}
	return r, err
}

func (r *rules) load(ctx context.Context) (err error) {
	if r.rows, err = tables.NewLive(ctx, r.o.Bus, r.tenant.Name, r.o.Logger); err != nil {
		return err
	}
	r.mapping, err = mapping.Load(r.tenant.Mapping, mapping.Options{Tables: r.rows})
	return err
}

// inForce loads rows and mapping; where the mapping's files have faults, the mapping that the
// tenant's owner still uses. Without an owner, the error names the faults.
func (r *rules) inForce(ctx context.Context) error {
	faults := r.load(ctx)
	if faults == nil || mapping.FaultsOf(faults) == nil {
		return faults
	}
	packed, err := orders.MappingOf(ctx, r.o.Bus, r.tenant.Name)
	if errors.Is(err, bus.ErrNoResponders) {
		return faults
	}
	var s mapping.Sources
	if err == nil {
		s, err = mapping.DecodeSources(packed)
	}
	if err == nil {
		r.mapping, err = s.Load(mapping.Options{Tables: r.rows})
	}
	if err != nil {
		return errors.Join(faults, err)
	}
	r.o.Logger.Warn("the mapping's files have faults; what is said here is of the mapping in force", slog.String("tenant", r.tenant.Name), slog.String("mapping", r.mapping.Hash()))
	return nil
}

// loadTable loads rows and the mapping in force, and finds the table.
func (a *Acts) loadTable(ctx context.Context, q TableRequest) (*rules, *table.Table, error) {
	r, err := a.of(q.Tenant)
	if err == nil {
		err = r.inForce(ctx)
	}
	if err != nil {
		return r, nil, err
	}
	t, err := r.table(q.Table)
	return r, t, err
}

// table is one that the mapping declares.
func (r *rules) table(name string) (*table.Table, error) {
	if t := r.mapping.Table(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s declares no table %q; expected %s", r.mapping.File(), name, textfile.Choice(name, r.mapping.Tables()))
}

// letters visits open letters and tells how far it has come; the letters of all
// tenants are the whole.
func (a *Acts) letters(ctx context.Context, f deadletter.Filter, tell inspect.Progress, visit func(deadletter.Open) error) error {
	u, err := a.o.Bus.Usage(ctx, bus.Dead)
	if err != nil {
		return err
	}
	seen := uint64(0)
	err = a.box.All(ctx, f, func(l deadletter.Open) error {
		tell("dead letters", seen, max(u.Messages, seen+1))
		seen++
		return visit(l)
	})
	tell("dead letters", u.Messages, u.Messages)
	return err
}
