package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// hour is one hour of an outage: a 7,200th of it. The waits, the breaker and the
// patience of a day are scaled by the same factor, so far as the machine allows.
const hour = 500 * time.Millisecond

// TestOutage: Kingdee is away for four hours, and for thirty, while events go on
// arriving. There is no dead letter, then everything is done in order, and what
// comes back comes at the pace and behind single probes.
func TestOutage(t *testing.T) {
	t.Parallel()
	for name, hours := range map[string]int{"four hours": 4, "thirty hours": 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outage(t, hours)
		})
	}
}

func outage(t *testing.T, hours int) {
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 5))
	o := roomy()
	o.kingdee.Latency = 10 * time.Millisecond // or no two calls would ever meet
	o.weiban.Callback.Senders = 1             // in order: a letter for a late event would not be the outage's
	// 30 s, 2 m, 10 m, 30 m, 1 h, 2 h and a day, scaled; the breaker's 30 s would be
	// 4 ms, which no machine keeps, and are 100 ms.
	o.Dispatcher = lasting + `  calls: {timeout: 10s, read_timeout: 5s, max_wait: 500ms}
  breaker: {failures: 5, open_for: 100ms}
  retries: {quick_tries: 3, quick_first: 10ms, quick_max: 50ms, waits: [5ms, 17ms, 83ms, 250ms, 500ms, 1s], give_up: 12s}
  doubt: {looks: [150ms, 400ms]}
  stop_within: 3s
  concurrency: 16
`
	in := install(t, s, o)
	c := in.customers[0]
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	in.run("dispatcher", app.Run.Dispatcher, paceless)

	lives, births := c.orders(t, short(120, 40), 0)
	notices := append(births, c.months(t, dice, lives, 6)...)
	half := len(births) + len(births)/2 // with visits, so that the token is there before: its minute is not scaled
	c.Weiban.Post(t.Context(), notices[:half]...)
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	books.settled(t, patience)

	if err := c.KingdeeGate.Shut(t.Context()); err != nil {
		t.Fatal(err)
	}
	down, rest := time.Now(), notices[half:]
	length := time.Duration(hours) * hour
	for len(rest) > 0 { // they arrive over the whole outage
		n := min(len(rest), 1+len(notices)/(4*hours))
		c.Weiban.Post(t.Context(), rest[:n]...)
		rest = rest[n:]
		pause(t.Context(), length/time.Duration(4*hours))
	}
	pause(t.Context(), length-time.Since(down))
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	up := time.Now()
	if err := c.KingdeeGate.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	books.settled(t, patience)
	took := time.Since(up)
	books.audited(t)
	for id, l := range books.letters(t) {
		t.Errorf("dead letter %s: %s %s", id, l.Kind, l.Reason)
	}
	for _, api := range []string{fakekingdee.APIList, fakekingdee.APIHandle} {
		if n := c.calls.probes(t, up, api, 0); n != 1 {
			t.Errorf("%s: %d calls until one succeeded, where the vendor was up again", api, n)
		}
	}
	first, _ := c.calls.busiest(up, 50*time.Millisecond)
	most, all := c.calls.busiest(up, time.Second)
	t.Logf("%d callbacks, down for %v, drained in %v, %d calls afterwards, at most %d in a second and %d in 50 ms; %v", len(notices), up.Sub(down).Round(time.Millisecond), took.Round(time.Millisecond), all, most, first, books.outcomes)
}

// TestRecoveryIsPaced: while the vendor answers that it is down, an API is probed by
// single calls, each as long after the one before as the breaker stays open; at
// the pace of the configuration what has waited does not come back all at once.
func TestRecoveryIsPaced(t *testing.T) {
	t.Parallel()
	const failures, open = 8, 300 * time.Millisecond // as brisk says
	apis := []string{fakekingdee.APIList, fakekingdee.APIHandle}
	s := seed(t)
	in := install(t, s, set{
		Options: harness.Options{Dispatcher: lasting + scaled}, kingdee: fakekingdee.Options{Latency: 200 * time.Millisecond},
	})
	c := in.customers[0]
	in.run("ingest", app.Run.Ingest, nil)
	books := in.books()
	in.run("dispatcher", app.Run.Dispatcher, nil)
	lives, births := c.orders(t, short(40, 30), 0)
	told := births
	for _, l := range lives[:15] { // of these the bill is known: to them handle-order comes first
		told = append(told, c.visit(t, l, l.handler))
	}
	c.Weiban.Post(t.Context(), told...)
	books.settledAfter(t, c)
	c.KingdeeFaults.Chance(1, script.Fault{Kind: script.Status, Status: 503, API: fakekingdee.APIList})
	c.KingdeeFaults.Chance(1, script.Fault{Kind: script.Code, Code: "5006", API: fakekingdee.APIHandle}) // it says that nothing ran
	down := time.Now()
	told = nil
	for _, l := range lives {
		told = append(told, c.end(t, l))
	}
	c.Weiban.Post(t.Context(), told...)
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	shut := map[string]time.Time{}
	for _, api := range apis {
		until(t, patience, 20*time.Millisecond, api+" is probed", func() (bool, string) {
			at, yes := c.calls.tripped(down, api, failures)
			shut[api] = at.Add(open / 2) // what was let through before has come by then
			return yes && len(c.calls.since(shut[api], api)) > 4, fmt.Sprint(len(c.calls.since(down, api)))
		})
	}
	up := time.Now()
	c.KingdeeFaults.Clear()
	books.settled(t, patience)
	books.audited(t)
	in.breaches()
	for _, api := range apis {
		t.Logf("%s: %d probes", api, c.calls.probes(t, shut[api], api, open))
	}
	most, all := c.calls.busiest(up, time.Second)
	if limit := 480/60 + 6; most > limit { // the pace, a small burst, and what straddles the second
		t.Errorf("%d calls in one second of the recovery, at most %d may be", most, limit)
	}
	t.Logf("%d calls after the recovery, at most %d in a second", all, most)
}
