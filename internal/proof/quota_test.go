package proof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// TestQuota: a backlog drains at the vendor's limit without ever breaking it, and
// goes on so when its owner is killed in the middle. The minute is scaled, at the
// vendor and in the pace alike; the counts are not.
func TestQuota(t *testing.T) {
	const factor = 12 // so are orders side by side, ownership and the quiet time: 16, 5 s and 7 s of it
	s := seed(t)
	n := short(10_000, 2_000)
	o := set{
		weiban:  fakeweiban.Options{Limits: fakeweiban.DocumentedLimits().Scaled(factor), Latency: 2 * time.Millisecond},
		kingdee: fakekingdee.Options{Limits: fakekingdee.KnownLimits().Scaled(factor)},
		Options: harness.Options{
			Programs: harness.Programs{Dispatcher: os.Args[0]}, Dispatchers: 2, Env: []string{role + "=dispatcher", fmt.Sprintf("%s=%d", scale, factor)},
			Dispatcher: `  ownership: {renew: 100ms, expire: 400ms}
  calls: {timeout: 2s, read_timeout: 600ms}
  stop_within: 3s
  concurrency: 192
`,
		},
	}
	o.weiban.Limits.PerHour = 1e6 // the hour would be two minutes
	in := install(t, s, o)
	c := in.customers[0]
	dice := rand.New(rand.NewPCG(s, 6))
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	_, births := c.orders(t, n, 0)
	c.Weiban.Post(t.Context(), births...)
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("backlog of %d", c.Weiban.Accepted())

	began := time.Now()
	for _, p := range in.Dispatchers {
		in.keep(p, dice, harness.Keeping{})
	}
	detail := func() int { return c.Weiban.Calls()[fakeweiban.APIOrder].OK }
	until(t, patience, 5*time.Millisecond, "the first detail is read", func() (bool, string) { return detail() > 0, "" })
	first := time.Now()
	until(t, patience, 5*time.Millisecond, "half of it is done", func() (bool, string) { return detail() > n/2, fmt.Sprint(detail()) })
	if err := in.owner(books.bus).Kill(); err != nil { // the other one takes the tenant
		t.Fatal(err)
	}
	killed, before := time.Now(), detail()+4 // so many may have been on their way
	until(t, patience, 2*time.Millisecond, "the next owner calls", func() (bool, string) { return detail() > before, fmt.Sprint(detail()) })
	gap := time.Since(killed)
	until(t, patience, 5*time.Millisecond, "every detail is read", func() (bool, string) { return detail() >= n, fmt.Sprint(detail()) })
	took := time.Since(first)
	books.settled(t, patience)
	books.audited(t)
	in.breaches()
	quota := 600 * float64(factor) / 60 // calls a second
	whole := float64(detail()) / took.Seconds() / quota
	owned := float64(detail()) / (took - gap).Seconds() / quota
	t.Logf("%d events in %v (start-up %v): %.1f %% of the limit, %.1f %% while somebody owned it; takeover %v (%v at the vendor's scale)", n, took.Round(time.Millisecond), first.Sub(began).Round(time.Millisecond), 100*whole, 100*owned, gap.Round(time.Millisecond), (gap * factor).Round(time.Second))
	if owned < 0.97 {
		t.Errorf("%.1f %% of the quota was used, want 97 %%", 100*owned)
	}
}
