package operate

import (
	"context"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
)

// Recorded names the recorded events that an act reads.
type Recorded struct {
	Tenant string
	Key    string // order number or opportunity id; "" is all
	Period inspect.Period
}

// PreviewRequest asks what a mapping would do with recorded events.
type PreviewRequest struct {
	Recorded
	File string // a changed mapping; "" is the one in use
	Dead bool   // over the open dead letters; the period is then when they died
}

// PreviewResult is what a preview amounts to.
type PreviewResult struct {
	Summary mapping.Summary `json:"summary"`
	Skipped int             `json:"skipped"` // that cannot be read
	Faulty  string          `json:"-"`       // the mapping file in use, where it has faults and nothing was compared
}

// Preview runs a mapping over recorded events, shows each to visit, and sends nothing.
func (a *Acts) Preview(ctx context.Context, r PreviewRequest, tell inspect.Progress, visit func(mapping.Entry) error) (result PreviewResult, err error) {
	m, err := a.of(r.Tenant)
	if err != nil {
		return result, err
	}
	err = m.load(ctx)
	tried, inUse := m.mapping, (*mapping.Mapping)(nil)
	switch {
	case err != nil && (r.File == "" || mapping.FaultsOf(err) == nil):
		return result, err
	case err != nil:
		result.Faulty = m.tenant.Mapping
	case r.File != "":
		inUse = m.mapping
	}
	if r.File != "" {
		if tried, err = mapping.Load(r.File, mapping.Options{Tables: m.rows}); err != nil {
			return result, err
		}
	}
	preview := mapping.NewPreview(tried, inUse)
	each := func(x mapping.Recorded) error { return visit(preview.Add(x)) }
	if r.Dead {
		result.Skipped, err = m.eachLetter(ctx, r.Recorded, tell, each)
	} else {
		result.Skipped, err = inspect.EachRecorded(ctx, a.o.Bus, m.tenant.Name, r.Key, r.Period, tell, each)
	}
	result.Summary = preview.Summary()
	return result, err
}

// eachLetter visits the events of the open letters that a mapping can be tried on.
func (r *rules) eachLetter(ctx context.Context, which Recorded, tell inspect.Progress, visit func(mapping.Recorded) error) (skipped int, err error) {
	f := deadletter.Filter{Tenant: r.tenant.Name, Stage: events.Handle, Key: which.Key}
	err = r.letters(ctx, f, tell, func(l deadletter.Open) error {
		if !which.Period.Holds(l.DiedAt) {
			return nil
		}
		x, err := inspect.RecordedOf(l)
		if err != nil {
			skipped++
			return nil //nolint:nilerr // counted
		}
		return visit(x)
	})
	return skipped, err
}
