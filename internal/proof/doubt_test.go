package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// roomy are limits that nothing here meets: what is shown is not the pace.
func roomy() set {
	w, k := fakeweiban.DocumentedLimits(), fakekingdee.KnownLimits()
	w.PerMinute, w.PerHour, w.InFlight = 1e6, 1e7, 1e3
	k.PerMinute, k.TokensPerMinute = 1e6, 1e3
	return set{
		weiban: fakeweiban.Options{Limits: w}, kingdee: fakekingdee.Options{Limits: k},
		Options: harness.Options{Dispatcher: lasting + `  calls: {timeout: 500ms, read_timeout: 400ms, max_wait: 500ms}
  breaker: {failures: 1000, open_for: 300ms}
  retries: {quick_tries: 2, quick_first: 50ms, quick_max: 200ms, waits: [200ms, 400ms, 800ms, 1s], give_up: 10m}
  doubt: {looks: [150ms, 400ms]}
  sweeps: {doubles: 1s}
  stop_within: 3s
  concurrency: 64
`},
	}
}

// paceless lets the bridge go as fast as it can.
func paceless(cfg *config.Config) {
	hurry(cfg, 200)
	for i := range cfg.Tenants {
		cfg.Tenants[i].Weiban.InFlight, cfg.Tenants[i].Kingdee.InFlight = 64, 64
	}
}

// ways are what may become of a call in doubt.
func ways() []script.Fault {
	const api = fakekingdee.APIHandle
	return []script.Fault{
		script.CommitThenHang(api, 0), script.CommitThenCut(api), script.CommitThenGarbage(api, false), script.CommitThenGarbage(api, true),
		{Kind: script.Torn, API: api, Commit: true},
		{Kind: script.Status, API: api, Commit: true, Status: 502},
		{Kind: script.Odd, API: api, Commit: true},
		{Kind: script.Huge, API: api, Commit: true},
		{Kind: script.Code, API: api, Commit: true, Code: "5004"},
		{Kind: script.Late, API: api, Delay: 200 * time.Millisecond},
		// And some that never ran: those are to be sent again, under the same marker.
		{Kind: script.Hang, API: api},
		{Kind: script.Cut, API: api},
		{Kind: script.HTML, API: api, Status: 502},
	}
}

// TestDoubt: a thousand calls whose outcome nobody could read leave exactly one
// handling record each.
func TestDoubt(t *testing.T) {
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 4))
	in := install(t, s, roomy())
	c := in.customers[0]
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	in.run("dispatcher", app.Run.Dispatcher, paceless)

	n := short(1000, 200)
	lives, _ := c.orders(t, n, 0)
	list := ways()
	var told []fakeweiban.Notice
	for i, l := range lives {
		f := list[dice.IntN(len(list))]
		f.Key, f.Times = l.bill, 1
		if i > 0 { // one that is answered proves that the query finds our records
			c.KingdeeFaults.Add(f)
		}
		told = append(told, c.end(t, l))
	}
	began := time.Now()
	if _, err := c.Weiban.Send(t.Context(), told[0]); err != nil {
		t.Fatal(err)
	}
	books.settled(t, patience)
	c.Weiban.Post(t.Context(), told[1:]...)
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	books.settled(t, patience)
	books.audited(t)
	if got := len(c.Kingdee.Records("")); got != n {
		t.Errorf("%d calls left %d handling records", n, got)
	}
	if books.outcomes["applied"] != n {
		t.Errorf("outcomes %v, letters:\n  %s", books.outcomes, kinds(books.letters(t)))
	}
	t.Logf("%d calls, %v of faults played, %d sends, %d records, %v", n, c.KingdeeFaults.Played(), len(c.Kingdee.Arrivals("")), len(c.Kingdee.Records("")), time.Since(began).Round(time.Millisecond))
}

// TestDoubtNotUnderstood: a loadList that nobody can read leads to letters that a
// person settles, and never to a second record.
func TestDoubtNotUnderstood(t *testing.T) {
	t.Parallel()
	s := seed(t)
	in := install(t, s, roomy())
	c := in.customers[0]
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	in.run("dispatcher", app.Run.Dispatcher, paceless)

	n := short(60, 20)
	lives, _ := c.orders(t, n, 0)
	for _, l := range lives {
		c.Weiban.Post(t.Context(), c.visit(t, l, l.handler))
	}
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	books.settled(t, patience)

	c.Kingdee.SetListShape(fakekingdee.ListOdd)
	for i, l := range lives {
		f := script.Fault{Kind: script.Cut, API: fakekingdee.APIHandle, Key: l.bill, Commit: i%2 == 0}
		c.KingdeeFaults.Add(f)
		c.Weiban.Post(t.Context(), c.end(t, l))
	}
	until(t, patience, 200*time.Millisecond, "every order waits with a letter", func() (bool, string) {
		waiting := books.waiting(t)
		return waiting == n, fmt.Sprintf("%d letters", waiting)
	})
	if got, want := len(c.Kingdee.Records("")), n+(n+1)/2; got != want {
		t.Errorf("%d handling records while the letters wait, want %d", got, want)
	}
	if left := c.KingdeeFaults.Left(); len(left) > 0 {
		t.Errorf("%d faults were never met", len(left))
	}

	k := in.clerk(books)
	books.settled(t, patience)
	until(t, patience, 200*time.Millisecond, "no letter is left", func() (bool, string) {
		left := books.letters(t)
		return len(left) == 0, kinds(left)
	})
	k.leave()
	books.audited(t)
	if got := len(c.Kingdee.Records("")); got != 2*n {
		t.Errorf("%d handling records in the end, want %d", got, 2*n)
	}
	t.Logf("%d letters: %d were applied, %d sent again, %d words refused", n, k.settled.Load(), k.sent.Load(), k.refused.Load())
}
