package proof

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// report is what a crash run was.
type report struct {
	seed                       uint64
	took, drained              time.Duration
	kills, failed, stops       int
	callbacks, sent, accepted  int
	records                    int
	settled, again             int64
	outcomes, faults, deadlike string
	points, store              string
	lost                       int
}

func (r report) String() string {
	return fmt.Sprintf("%d kills, %d stops, %d ended by themselves in %v, quiet %v later; %d callbacks (%d sendings), %d accepted; %d handling records; outcomes %s; faults %s; died at %s; store faults %s, %d callbacks lost with the disk; clerk: %d applied, %d sent again; letters:\n  %s",
		r.kills, r.stops, r.failed, r.took, r.drained, r.callbacks, r.sent, r.accepted, r.records, r.outcomes, r.faults, r.points, r.store, r.lost, r.settled, r.again, r.deadlike)
}

func (c *crash) report(s uint64, b *books, k *clerk, r report) report {
	faults := map[script.Kind]int{}
	for _, x := range c.in.customers {
		for _, played := range []map[script.Kind]int{x.KingdeeFaults.Played(), x.WeibanFaults.Played()} {
			for kind, n := range played {
				faults[kind] += n
			}
		}
		r.accepted += x.Weiban.Accepted()
		r.records += len(x.Kingdee.Records(""))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.failed, r.stops = c.ends[harness.Failed], c.stops
	r.outcomes, r.faults, r.points = fmt.Sprint(b.outcomes), fmt.Sprint(faults), fmt.Sprint(c.fired)
	r.deadlike = kinds(b.letters(c.in.t))
	r.store, r.lost = c.faults.String(), len(b.lost)
	r.settled, r.again = k.settled.Load(), k.sent.Load()
	return r
}

// page is docs/soak.md.
func (r report) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The last soak run

%q runs real programs (ingest, two dispatchers, a NATS server process) against the
simulated vendors, kills and stops them at random moments and at the crash points between two effects,
takes a stream or bucket away between kills or puts an older copy of one back, and then holds the books:
nothing lost, no handling record doubled, order kept per bill, every applied event with its one record.
This page is written by the run itself.

| | |
|---|---|
| date | %s |
| machine | %d cores, %s/%s |
| seed | %d |
| processes killed (kill -9) | %d |
| processes stopped and woken (SIGSTOP) | %d |
| processes that ended by themselves (no NATS) | %d |
| of these, at a crash point | %s |
| faults of the store, both programs and the server stopped | %s |
| callbacks cut off the end of CALLBACKS before they had ended, and out of the books | %d |
| duration | %v, all settled %v later |
| callbacks made / sent / answered 200 | %d / %d / %d |
| how they ended | %s |
| handling records at Kingdee | %d |
| faults played by the vendors | %s |
| letters settled by the clerk: applied / sent again | %d / %d |
| audit of lost callbacks, doubled records, disorder and broken quotas | passed; this page is written by no other run |
`, "make soak", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, r.seed, r.kills, r.stops, r.failed, r.points,
		r.store, r.lost, r.took, r.drained, r.callbacks, r.sent, r.accepted, r.outcomes, r.records, r.faults, r.settled, r.again)
	return b.String()
}
