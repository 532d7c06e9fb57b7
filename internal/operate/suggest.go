package operate

import (
	"context"
	"errors"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/orders"
)

// SuggestRequest asks which words a tenant's tables lack.
type SuggestRequest struct {
	Recorded
	Options   bool // answers of forms, in place of staff
	StaffList bool // also those that Weiban's staff list names; costs calls of the tenant's quota
}

// Suggestions are words that Weiban uses and the tables of Mapping lack.
type Suggestions struct {
	Mapping *mapping.Mapping
	Words   []mapping.Suggestion // never nil
}

// Suggest collects the words of recorded events and, if asked to, of Weiban's staff
// list.
func (a *Acts) Suggest(ctx context.Context, r SuggestRequest, tell inspect.Progress) (Suggestions, error) {
	m, err := a.load(ctx, r.Tenant)
	if err != nil {
		return Suggestions{}, err
	}
	s := mapping.NewSuggestions(m.mapping)
	_, err = inspect.EachRecorded(ctx, a.o.Bus, m.tenant.Name, r.Key, r.Period, tell, func(r mapping.Recorded) error {
		if in, err := mapping.NewInput(r.Meta, r.Data); err == nil {
			s.Add(in)
		}
		return nil
	})
	if err == nil && r.StaffList {
		err = m.staff(ctx, s)
	}
	if err != nil {
		return Suggestions{}, err
	}
	out := Suggestions{m.mapping, []mapping.Suggestion{}}
	for _, x := range s.Missing() {
		if r.Options == (x.Component != "") {
			out.Words = append(out.Words, x)
		}
	}
	return out, nil
}

// staff reads Weiban's staff list by the tenant's owner, which alone can keep the
// quota. Only where there is no owner does it read the list itself.
func (r *rules) staff(ctx context.Context, s *mapping.Suggestions) error {
	owners, err := orders.StaffOf(ctx, r.o.Bus, r.tenant.Name)
	var list []mapping.Staff
	for _, x := range owners {
		list = append(list, mapping.Staff{ID: x.ID, Name: x.Name, Department: strings.Join(x.Department, " ")})
	}
	if errors.Is(err, bus.ErrNoResponders) && r.o.Staff != nil {
		list, err = r.o.Staff(ctx, r.tenant.Name)
	}
	for _, x := range list {
		s.AddStaff(x)
	}
	return err
}
