package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

type ownersCmd struct {
	JSON bool `name:"json" help:"One JSON object a tenant."`
}

// tenantOwner is who works for a tenant.
type tenantOwner struct {
	ownership.Ownership
	State      string          `json:"state"` // owned, released, expired or unclaimed
	Configured bool            `json:"configured"`
	Paused     []inspect.Pause `json:"paused,omitempty"`
	Trouble    []string        `json:"trouble,omitempty"`  // as its owner tells it
	Recovery   string          `json:"recovery,omitempty"` // looking or waiting, while what is stored is looked at again
	Store      []history.Note  `json:"store,omitempty"`    // what does not fit and nobody has acknowledged; of every tenant the same
}

var errUnowned = errors.New("nobody owns")

func (c ownersCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		list, err := owners(ctx, cfg, b, time.Now())
		if err != nil {
			return err
		}
		if c.JSON {
			err = jsonLines(p.Stdout, list)
		} else {
			err = showOwners(p.Stdout, list)
		}
		var unowned []string
		for _, o := range list {
			if o.Configured && o.State != "owned" {
				unowned = append(unowned, o.Tenant)
			}
		}
		if err == nil && len(unowned) > 0 {
			err = fmt.Errorf("%w %s", errUnowned, strings.Join(unowned, ", "))
		}
		return err
	})
}

// owners are the claims on record, the configured tenants without one, and what
// is paused.
func owners(ctx context.Context, cfg *config.Config, b *bus.Bus, now time.Time) ([]tenantOwner, error) {
	claims, err := ownership.Owners(ctx, b.Bucket(bus.State))
	if err != nil {
		return nil, err
	}
	var out []tenantOwner
	for _, c := range claims {
		o := tenantOwner{Ownership: c, State: "owned"}
		switch {
		case c.Released:
			o.State = "released"
		case now.Sub(c.Renewed) > cfg.Dispatcher.Ownership.Expire:
			o.State = "expired"
		}
		out = append(out, o)
	}
	for _, t := range cfg.Tenants {
		i := slices.IndexFunc(out, func(o tenantOwner) bool { return o.Tenant == t.Name })
		if i < 0 {
			out = append(out, tenantOwner{Ownership: ownership.Ownership{Tenant: t.Name}, State: "unclaimed"})
			i = len(out) - 1
		}
		out[i].Configured = true
	}
	for i := range out {
		if out[i].Paused, err = inspect.Pauses(ctx, b, out[i].Tenant); err != nil {
			return nil, err
		}
		if out[i].State == "owned" {
			out[i].Trouble = orders.TroubleOf(ctx, b, out[i].Tenant)
		}
	}
	if err := recoveries(ctx, b, out); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b tenantOwner) int { return strings.Compare(a.Tenant, b.Tenant) })
	return out, nil
}

// recoveries adds what of the store does not fit, and which tenants are looked at again.
func recoveries(ctx context.Context, b *bus.Bus, list []tenantOwner) error {
	r, err := inspect.StoreRecord(ctx, b)
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = o.Tenant
	}
	how, err := inspect.Recoveries(ctx, b, r, names)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Store = r.Open()
		if list[i].Configured && how[i].State != inspect.RecoverDone {
			list[i].Recovery = how[i].State
		}
	}
	return nil
}

func showOwners(w io.Writer, list []tenantOwner) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"tenant", "state", "owner", "since", "epoch", "lease renewed", "paused", "trouble"})
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 5, Align: text.AlignRight},
		{Number: 7, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft},
		{Number: 8, WidthMax: 80, WidthMaxEnforcer: text.WrapSoft},
	})
	for _, o := range list {
		state := o.State
		if !o.Configured {
			state += ", not configured here"
		}
		if o.Recovery != "" {
			state += "\n" + recoveryText(o.Recovery)
		}
		var paused []string
		for _, p := range o.Paused {
			why := ""
			if p.Why != "" {
				why = ": " + p.Why
			}
			paused = append(paused, fmt.Sprintf("%s by %s at %s%s", p.Stage, p.Who, when(p.At), why))
		}
		t.AppendRow(table.Row{o.Tenant, state, o.Instance, when(o.Since), o.Epoch, when(o.Renewed), strings.Join(paused, "\n"), strings.Join(o.Trouble, "\n")})
	}
	if _, err := fmt.Fprintln(w, t.Render()); err != nil || len(list) == 0 {
		return err
	}
	for _, n := range list[0].Store {
		if _, err := fmt.Fprintln(w, text.WrapSoft(when(n.At)+" "+n.String()+" (dispatcher recover)", 80)); err != nil {
			return err
		}
	}
	return nil
}
