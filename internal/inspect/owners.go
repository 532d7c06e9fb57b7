package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

// Owner is who works for a tenant.
type Owner struct {
	ownership.Ownership
	State      string         `json:"state"` // owned, released, expired or unclaimed
	Configured bool           `json:"configured"`
	Paused     []Pause        `json:"paused,omitempty"`
	Trouble    []string       `json:"trouble,omitempty"`  // as its owner tells it
	Recovery   string         `json:"recovery,omitempty"` // looking or waiting, while what is stored is looked at again
	Store      []history.Note `json:"store,omitempty"`    // what does not fit and nobody has acknowledged; of every tenant the same
}

var errUnowned = errors.New("nobody owns")

// Unowned is an error that names the configured tenants of a list that have no owner,
// or nil.
func Unowned(list []Owner) error {
	var names []string
	for _, o := range list {
		if o.Configured && o.State != "owned" {
			names = append(names, o.Tenant)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%w %s", errUnowned, strings.Join(names, ", "))
}

// Owners are the claims on record and the configured tenants without one, sorted by
// tenant. An owner that has not renewed its lease for silence has lost it.
func Owners(ctx context.Context, b *bus.Bus, configured []string, silence time.Duration) ([]Owner, error) {
	claims, err := ownership.Owners(ctx, b.Bucket(bus.State))
	if err != nil {
		return nil, err
	}
	var out []Owner
	for _, c := range claims {
		o := Owner{Ownership: c, State: "owned"}
		switch {
		case c.Released:
			o.State = "released"
		case time.Since(c.Renewed) > silence:
			o.State = "expired"
		}
		out = append(out, o)
	}
	for _, t := range configured {
		i := slices.IndexFunc(out, func(o Owner) bool { return o.Tenant == t })
		if i < 0 {
			out = append(out, Owner{Ownership: ownership.Ownership{Tenant: t}, State: "unclaimed"})
			i = len(out) - 1
		}
		out[i].Configured = true
	}
	for i := range out {
		if out[i].Paused, err = Pauses(ctx, b, out[i].Tenant); err != nil {
			return nil, err
		}
		if out[i].State == "owned" {
			out[i].Trouble = orders.TroubleOf(ctx, b, out[i].Tenant)
		}
	}
	if err := addRecoveries(ctx, b, out); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(x, y Owner) int { return strings.Compare(x.Tenant, y.Tenant) })
	return out, nil
}

// addRecoveries adds what of the store does not fit, and which tenants are looked at again.
func addRecoveries(ctx context.Context, b *bus.Bus, list []Owner) error {
	r, err := StoreRecord(ctx, b)
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = o.Tenant
	}
	how, err := Recoveries(ctx, b, r, names)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Store = r.Open()
		if list[i].Configured && how[i].State != RecoverDone {
			list[i].Recovery = how[i].State
		}
	}
	return nil
}
