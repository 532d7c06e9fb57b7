package events_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"gongdan-bridge/internal/events"
)

// TestHappened: the vendor's time stands in a position unless the event says when it
// came, or lies too far ahead of when it was stored.
func TestHappened(t *testing.T) {
	stored := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	arrived := stored.Add(-time.Second)
	e, err := events.NewCallback(context.Background(), closing())
	if err != nil {
		t.Fatal(err)
	}
	for ahead, want := range map[time.Duration]time.Duration{-time.Hour: -time.Hour, 0: 0, 5 * time.Minute: 5 * time.Minute, 5*time.Minute + 1: 0, 1e6 * time.Hour: 0} {
		if got := events.Happened(e, stored.Add(ahead), stored, 0); !got.Equal(stored.Add(want)) {
			t.Errorf("%v ahead: %v", ahead, got)
		}
	}
	if got := events.Happened(e, stored.Add(time.Hour), stored, 2*time.Hour); !got.Equal(stored.Add(time.Hour)) {
		t.Errorf("an hour ahead where two are believed: %v", got)
	}
	if got := events.Happened(e, stored.Add(time.Hour), time.Time{}, 0); !got.Equal(stored.Add(time.Hour)) {
		t.Errorf("of a message whose time is not known: %v", got)
	}
	c := closing()
	c.Arrived = arrived
	if e, err = events.NewCallback(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if got := events.Happened(e, stored.Add(-time.Hour), stored, 0); !got.Equal(arrived) {
		t.Errorf("of an event that says when it came: %v", got)
	}
}

// TestAsSent: what stands in original is put back, and nothing else is touched.
func TestAsSent(t *testing.T) {
	e := events.Enriched{
		WorkOrder: json.RawMessage(`{"order_no":"1","rows":[{"a":1},{"b":"<"}]}`),
		Original: map[string]json.RawMessage{
			"/work_order/order_no": json.RawMessage(`1`), "/work_order/rows/1/type": json.RawMessage(`{}`), "/work_order/gone": json.RawMessage(`[7]`),
			"/work_order/rows/9/x": json.RawMessage(`1`), "/callback/id": json.RawMessage(`1`), "nonsense": json.RawMessage(`1`),
		},
	}
	got := e.AsSent()
	if want := `{"gone":[7],"order_no":1,"rows":[{"a":1},{"b":"<","type":{}}]}`; string(got.WorkOrder) != want || got.Original != nil || got.Opportunity != nil {
		t.Errorf("%s, want %s", got.WorkOrder, want)
	}
	if len(e.Original) != 6 {
		t.Error("the event itself was changed")
	}
}
