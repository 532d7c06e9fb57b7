// Package accounttest makes vendor accounts for tests, with explicit bounds where a test
// does not care.
package accounttest

import (
	"cmp"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors"
)

// Bounds replaces every bound of zero by one that no test reaches by chance.
func Bounds(o connectors.AccountOptions) connectors.AccountOptions {
	o.InFlight, o.Timeout, o.MaxBody = cmp.Or(o.InFlight, 4), cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.MaxBody, 4<<20)
	o.ReadTimeout, o.MaxWait = cmp.Or(o.ReadTimeout, o.Timeout), cmp.Or(o.MaxWait, 5*time.Second)
	o.Breaker.Failures, o.Breaker.OpenFor = cmp.Or(o.Breaker.Failures, 5), cmp.Or(o.Breaker.OpenFor, 30*time.Second)
	return o
}

// New makes an account with [Bounds].
func New(tb testing.TB, o connectors.AccountOptions) *connectors.Account {
	tb.Helper()
	l, err := connectors.NewAccount(Bounds(o))
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
