package wait

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// The index names an order under every API that one of its stages waits for, and under no
// other.
func TestWaiters(t *testing.T) {
	apis := NewAPIs("acme", Accounts{})
	w, a, b := NewWaiters(), orders.ID{Noun: events.WorkOrder, Key: "1"}, orders.ID{Noun: events.Opportunity, Key: "1"}
	w.Set(a, apis, [2]ledger.API{ledger.Detail, ledger.Writes})
	w.Set(b, apis, [2]ledger.API{ledger.Detail, ""})
	check := func(api *Availability, want ...orders.ID) {
		t.Helper()
		got := w.Of(api)
		if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
			t.Errorf("for %s wait %v; want %v", api.Name, got, want)
		}
	}
	check(apis.Details[events.WorkOrder], a)
	check(apis.Details[events.Opportunity], b)
	check(apis.Writes, a)
	check(apis.Reads)
	w.Set(a, apis, [2]ledger.API{"", ledger.Reads})
	check(apis.Details[events.WorkOrder])
	check(apis.Writes)
	check(apis.Reads, a)
	w.Set(a, apis, [2]ledger.API{})
	check(apis.Reads)
}

// A kind of waiting is told as long as the owner lives; a letter from the beginning.
func TestTally(t *testing.T) {
	y, order := NewTally(), orders.ID{Noun: events.WorkOrder, Key: "1"}
	enrich, handle := orders.Queue{Stage: events.Enrich, Noun: events.WorkOrder}, orders.Queue{Stage: events.Handle, Noun: events.WorkOrder}
	y.Move(order, [2]ledger.Why{}, [2]ledger.Why{ledger.Running, ledger.Doubt})
	y.Move(order, [2]ledger.Why{ledger.Running, ledger.Doubt}, [2]ledger.Why{ledger.Backoff, ledger.Held})
	n := y.Counts()
	for k, want := range map[Kind]int64{
		{enrich, ledger.Backoff}: 1, {handle, ledger.Held}: 1, {handle, ledger.Doubt}: 0, {enrich, ledger.Held}: 0,
	} {
		if got, told := n[k]; got != want || !told {
			t.Errorf("%v: %d, told %v; want %d", k, got, told, want)
		}
	}
	if _, told := n[Kind{enrich, ledger.Running}]; told {
		t.Error("an order that is worked on is told as waiting")
	}
}

// Retry waits twice as long each time, up to a bound, and ends with its context.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, tries := time.Now(), 0
		ok := Retry(t.Context(), time.Second, 3*time.Second, func() bool { tries++; return tries == 5 })
		if took := time.Since(began); !ok || took != 9*time.Second {
			t.Errorf("%v after %v", ok, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if Retry(ctx, time.Minute, time.Minute, func() bool { return false }) {
			t.Error("it succeeds without success")
		}
		if !Until(t.Context(), time.Now().Add(-time.Hour)) {
			t.Error("a time that is over is waited for")
		}
	})
}
