package connectors

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/events"
)

// TestSharedUnspent: fetches that reached nobody spend nothing, however many; those
// that did are within the budget.
func TestSharedUnspent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is, down := &issuer{life: time.Hour}, true
		p := processes(1, MemoryVault(), is, func(o *SharedOptions[string]) {
			o.Fetch = func(ctx context.Context) (string, time.Time, error) {
				if down {
					return "", time.Time{}, Unspent(&events.Failure{Kind: events.Unavailable, Reason: "no connection", Err: errUnsent})
				}
				return is.fetch(ctx)
			}
		})[0]
		for n := range 7 {
			if _, err := p.Get(t.Context()); events.KindOf(err) != events.Unavailable || !Unsent(err) {
				t.Fatalf("fetch %d: %v", n, err)
			}
		}
		down = false
		token, err := p.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if token, err = p.Renew(t.Context(), token); err != nil || token != "token-2" {
			t.Fatalf("%q, %v", token, err)
		}
		if _, err := p.Renew(t.Context(), token); events.KindOf(err) != events.Throttled || is.count() != 2 {
			t.Fatalf("%d fetches in a minute, %v", is.count(), err)
		}
	})
}
