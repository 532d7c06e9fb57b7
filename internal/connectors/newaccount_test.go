package connectors

import (
	"cmp"
	"testing"
	"time"
)

// newAccount is an account with sound bounds where the test does not care.
func newAccount(tb testing.TB, o AccountOptions) *Account {
	tb.Helper()
	o.InFlight, o.Timeout, o.MaxBody = cmp.Or(o.InFlight, 4), cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.MaxBody, 4<<20)
	o.ReadTimeout, o.MaxWait = cmp.Or(o.ReadTimeout, o.Timeout), cmp.Or(o.MaxWait, 5*time.Second)
	o.Breaker.Failures, o.Breaker.OpenFor = cmp.Or(o.Breaker.Failures, 5), cmp.Or(o.Breaker.OpenFor, 30*time.Second)
	l, err := NewAccount(o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// TestAccountNeedsItsBounds: a zero would mean no bound or no call at all.
func TestAccountNeedsItsBounds(t *testing.T) {
	if _, err := NewAccount(AccountOptions{Vendor: "weiban", InFlight: 1, Timeout: time.Second}); err == nil {
		t.Error("an account without bounds was made")
	}
}
