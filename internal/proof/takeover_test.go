package proof

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// TestTakeover: at default settings other orders go on within 20 s of the owner's
// death by kill -9, and the order whose call was in doubt within two minutes. No
// interval is scaled but that of its own end.
func TestTakeover(t *testing.T) {
	t.Parallel()
	const other, doubt = 20 * time.Second, 2 * time.Minute
	s := seed(t)
	in := install(t, s, set{Options: harness.Options{Programs: programs(t), Dispatchers: 2, Dispatcher: "  stop_within: 3s\n"}})
	c := in.customers[0]
	dice := rand.New(rand.NewPCG(s, 8))
	lives, births := c.orders(t, 12, 0)
	for _, p := range in.Processes() {
		in.ready(in.keep(p, dice, harness.Keeping{}))
	}
	books := in.books()
	c.Weiban.Post(t.Context(), append(births, c.visit(t, lives[0], lives[0].handler))...)
	books.settledAfter(t, c)

	// One call commits and is never answered; in the midst of it its owner dies.
	doubted := lives[1]
	c.KingdeeFaults.Add(script.Fault{Kind: script.Hang, API: fakekingdee.APIHandle, Key: doubted.bill, Commit: true})
	c.Weiban.Post(t.Context(), c.end(t, doubted))
	until(t, patience, 10*time.Millisecond, "the call is on its way", func() (bool, string) {
		return len(c.Kingdee.Records(doubted.bill)) == 1, ""
	})
	died := time.Now()
	if err := in.owner(books.bus).Kill(); err != nil {
		t.Fatal(err)
	}
	var told []fakeweiban.Notice
	for _, l := range lives[2:] {
		told = append(told, c.end(t, l))
	}
	c.Weiban.Post(t.Context(), told...)
	records := func(ls []*life) (n int) {
		for _, l := range ls {
			n += len(c.Kingdee.Records(l.bill))
		}
		return n
	}
	until(t, patience, 20*time.Millisecond, "another order goes on", func() (bool, string) { return records(lives[2:]) > 0, "" })
	first := time.Since(died)
	until(t, patience, 50*time.Millisecond, "every other order goes on", func() (bool, string) { return records(lives[2:]) == len(told), fmt.Sprint(records(lives[2:])) })
	all := time.Since(died)
	books.settled(t, patience)
	last := time.Since(died)
	books.audited(t)
	in.breaches()
	t.Logf("at default settings: the first other order after %v, all %d after %v, the order in doubt after %v", first.Round(10*time.Millisecond), len(told), all.Round(10*time.Millisecond), last.Round(10*time.Millisecond))
	if first > other || last > doubt {
		t.Errorf("want other orders within %v and the order in doubt within %v", other, doubt)
	}
}
