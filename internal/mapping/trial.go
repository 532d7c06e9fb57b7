package mapping

import (
	"cmp"
	"encoding/json"
	"strings"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
)

// What stands for a bill that has not been looked up in Kingdee.
const (
	anyBillID    = "1"
	trialOrderNo = "trial-bill"
)

// Verdict is how a mapping takes an event.
type Verdict string

// The verdicts.
const (
	Mapped  Verdict = "mapped"  // a body, ready to be sent
	Ignored Verdict = "ignored" // no rule wants it
	Failed  Verdict = "failed"  // something cannot be filled
)

// Trial is what a mapping makes of one event, with nothing sent.
type Trial struct {
	Verdict  Verdict         `json:"verdict"`
	Rule     string          `json:"rule,omitempty"`
	Late     Late            `json:"late,omitempty"`
	Bill     *BillRef        `json:"bill,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"` // body_ of handle-order
	Failures []TrialFailure  `json:"failures,omitempty"`

	fields map[string]string
	status string // Weiban's word, as rules see it
}

// TrialFailure is one thing that cannot be filled.
type TrialFailure struct {
	Kind   events.Kind `json:"kind"`
	Field  string      `json:"field,omitempty"`
	Expr   string      `json:"expr,omitempty"`
	Word   string      `json:"word,omitempty"`
	Reason string      `json:"reason"`
}

// Try maps an event without sending anything. known is what is known of the
// bill; a placeholder stands for the rest.
func (m *Mapping) Try(meta Meta, data events.Enriched, known BillRef) Trial {
	in, err := NewInput(meta, data)
	if err != nil {
		return failedTrial(Trial{}, err)
	}
	t := Trial{status: in.Event.Status}
	x, err := m.Match(in)
	switch {
	case err != nil:
		return failedTrial(t, err)
	case x == nil:
		t.Verdict = Ignored
		return t
	}
	t.Rule, t.Late = x.Rule(), x.Late()
	ref, err := x.Bill()
	if err != nil {
		return failedTrial(t, err)
	}
	t.Bill = &ref
	order, err := x.Body(cmp.Or(known.ID, ref.ID, anyBillID), cmp.Or(known.OrderNo, ref.OrderNo, trialOrderNo))
	if err != nil {
		return failedTrial(t, err)
	}
	if t.Body, err = sent(order); err == nil {
		t.fields, err = flatten(order.Body)
	}
	if err != nil {
		return failedTrial(t, err)
	}
	t.Verdict = Mapped
	return t
}

// sent is body_ as the connector sends it.
func sent(order kingdee.HandleOrder) (json.RawMessage, error) {
	raw, err := order.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var w struct {
		Body json.RawMessage `json:"body_"`
	}
	err = json.Unmarshal(raw, &w)
	return w.Body, err
}

func failedTrial(t Trial, err error) Trial {
	t.Verdict = Failed
	for _, f := range FailuresOf(err) {
		t.Rule = cmp.Or(t.Rule, f.Rule)
		t.Failures = append(t.Failures, TrialFailure{Kind: f.Kind, Field: f.Field, Expr: f.Expr, Word: f.Word, Reason: f.Reason})
	}
	return t
}

// against lists how this trial differs from another one of the same event: the
// body's fields, and verdict, rule, late and bill under their names. Where nothing
// would be sent any more, that is said once and not of every field.
func (t Trial) against(was Trial, s *shape) []FieldDiff {
	switch t.Verdict {
	case Ignored:
		was.fields, was.Bill, was.Late = nil, nil, ""
	case Failed:
		was.fields = nil
	}
	return diff(was.flat(), t.flat(), s)
}

// reasons is what cannot be filled, two lines each.
func (t Trial) reasons() string {
	var b strings.Builder
	for _, f := range t.Failures {
		b.WriteString("\n  " + f.Reason)
		if f.Expr != "" {
			b.WriteString("\n    ${" + f.Expr + "}")
		}
	}
	return b.String()
}

func (t Trial) flat() map[string]string {
	out := map[string]string{"(verdict)": string(t.Verdict), "(rule)": t.Rule, "(late)": string(t.Late)}
	if t.Bill != nil {
		out["(bill)"] = t.Bill.OrderNo + t.Bill.ID
	}
	for name, v := range t.fields {
		out[name] = v
	}
	for _, f := range t.Failures {
		out[cmp.Or(f.Field, "(event)")] = "cannot be filled: " + f.Reason
	}
	return out
}
