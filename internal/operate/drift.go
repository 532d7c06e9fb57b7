package operate

import (
	"context"
	"slices"
	"time"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
)

// DriftRequest asks where a tenant's recorded documents are not as the bridge knows them.
type DriftRequest struct {
	Tenant string
	Since  time.Time
	All    bool     // also members that some documents lack and others have
	Ignore []string // members, or kinds of document, that are left out
}

// Drift is the answer to a [DriftRequest].
type Drift struct {
	Tenant    string       `json:"tenant"`
	Since     time.Time    `json:"since"`
	Documents []drift.Kind `json:"documents"`
	Members   int          `json:"members"` // that drift
	Skipped   int          `json:"skipped"` // messages that are no events
}

// Drift reads the callbacks and details that CALLBACKS and EVENTS hold.
func (a *Acts) Drift(ctx context.Context, r DriftRequest, tell inspect.Progress) (Drift, error) {
	report, skipped, err := a.driftReport(ctx, r.Tenant, r.Since, tell)
	if err != nil {
		return Drift{}, err
	}
	d := Drift{Tenant: r.Tenant, Since: r.Since, Documents: report.Kinds(r.All), Skipped: skipped}
	for i, k := range d.Documents {
		k.Lines = slices.DeleteFunc(k.Lines, func(l drift.Line) bool {
			return slices.Contains(r.Ignore, l.Path) || slices.Contains(r.Ignore, k.Document)
		})
		for _, l := range k.Lines {
			if l.What != drift.AtTimes {
				d.Members++
			}
		}
		d.Documents[i] = k
	}
	return d, nil
}

func (a *Acts) driftReport(ctx context.Context, tenant string, since time.Time, tell inspect.Progress) (*drift.Report, int, error) {
	known, report := weiban.NewDocuments(), drift.NewReport()
	calls, err := inspect.EachCallback(ctx, a.o.Bus, tenant, since, tell, func(x inspect.RecordedCallback) error {
		kind := "raw"
		if x.Event != "" {
			kind = "callback " + x.Event + "." + x.Status
		}
		report.Add(known.Callback(x.Event), drift.Recorded{Kind: kind, JSON: weiban.AsSent(x.Data), At: x.At, Event: x.ID, Order: x.Key})
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	details, err := inspect.EachRecorded(ctx, a.o.Bus, tenant, "", inspect.Period{Since: since}, tell, func(x mapping.Recorded) error {
		x.Data = x.Data.AsSent()
		for _, d := range []struct {
			tree *drift.Tree
			json []byte
		}{{known.WorkOrder, x.Data.WorkOrder}, {known.Opportunity, x.Data.Opportunity}} {
			if len(d.json) > 0 {
				report.Add(d.tree, drift.Recorded{Kind: d.tree.Document(), JSON: d.json, At: x.Data.FetchedAt, Event: x.Meta.ID, Order: x.Key})
			}
		}
		return nil
	})
	return report, calls + details, err
}
