package dispatch_test

import (
	"encoding/json"
	"testing"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// The outcome of a dry run says what would have been sent.
func TestADryRunTellsTheBody(t *testing.T) {
	b := newBridge(t)
	b.run("one", func(s *ledger.Settings) { s.DryRun = true })
	number, bill := b.order()
	b.ended(b.end(number, "修好"), "ignored")
	m, err := b.bus.Last(t.Context(), "EVENTS", events.OutcomeSubject("acme", events.Ignored, number))
	if err != nil {
		t.Fatal(err)
	}
	ev, err := events.Decode(m.Header.Get("Content-Type"), m.Data)
	if err != nil {
		t.Fatal(err)
	}
	var o events.HandleOutcome
	var body struct {
		Status string `json:"wxztid"`
		Note   string `json:"clsmid"`
	}
	if err := json.Unmarshal(ev.Data(), &o); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(o.Body, &body); err != nil || !o.DryRun || body.Status != "H" || body.Note != "修好" {
		t.Errorf("outcome %s: %v", ev.Data(), err)
	}
	if len(b.kingdee.Records(bill)) != 0 {
		t.Error("a dry run called Kingdee")
	}
}
