package work

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// Look searches a bill's handling records for a call in doubt.
func (w Order) Look(ctx context.Context, act ledger.Look) (out ledger.Looked) {
	out.Sweep = act.Sweep
	defer events.Guard(&out.Failure)
	records, f := w.records(ctx, act.Bill, act.Markers...)
	switch {
	case f != nil && errors.Is(f, kingdee.ErrNotUnderstood):
		return out
	case f != nil:
		out.Failure = f
		return out
	}
	out.Understood = true
	if act.Marker != "" {
		for _, r := range records {
			if i := slices.IndexFunc(act.Markers, func(m string) bool { return strings.Contains(r.Remark, m) }); i >= 0 {
				out.Found++
				out.Marker = act.Markers[i]
			}
		}
	} else {
		out.Found, out.Understood = w.alike(records, act)
	}
	switch {
	case out.Found > 0 && act.Marker != "":
		w.Owner.Proved(ctx)
	case w.Owner.RecordsLost():
		w.proveQuery(ctx)
	}
	out.Control = w.Proof.Proven()
	return out
}

// alike counts the records that look like the body, less those that are known to be applied;
// false where the vendor's records lack what is compared.
func (w Order) alike(records []kingdee.DealRecord, act ledger.Look) (int, bool) {
	var body kingdee.Body
	if json.Unmarshal(act.Body, &body) != nil {
		return 0, false
	}
	n := 0
	for _, r := range records {
		same, known := r.Matches(body)
		if !known {
			return 0, false
		}
		if same {
			n++
		}
	}
	return max(0, n-act.Applied), true
}

func (w Order) records(ctx context.Context, b ledger.Bill, judged ...string) (records []kingdee.DealRecord, f *events.Failure) {
	f = w.try(ctx, w.APIs.Reads, func(ctx context.Context) (err error) {
		records, err = w.Kingdee.DealRecords(ctx, b.OrderNo)
		return err
	})
	w.markers(ctx, b, records, judged)
	return records, f
}

// markers searches all handling records that were read for markers of ours. One proves that
// the query shows our records; two with the same marker are a double, which raises an alert
// unless the ledger judges that marker itself.
func (w Order) markers(ctx context.Context, b ledger.Bill, records []kingdee.DealRecord, judged []string) {
	n := map[string]int{}
	for _, r := range records {
		m := ledger.FindMarker(r.Remark)
		if n[m]++; m != "" && n[m] == 2 && !slices.Contains(judged, m) && w.Doubles.FirstTime(m) {
			w.Owner.Alert(w.ID, ledger.Alert{Why: ledger.AlarmDoubled, Text: "two handling records of bill " + b.OrderNo + " carry " + m})
		}
	}
	if delete(n, ""); len(n) > 0 && w.Owner.RecordsLost() {
		w.Owner.Proved(ctx)
	}
}
