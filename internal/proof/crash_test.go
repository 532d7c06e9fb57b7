package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/sandbox/fakekingdee"
	"gongdan-bridge/internal/sandbox/fakeweiban"
	"gongdan-bridge/internal/sandbox/script"
)

// points are where a test build can be told to die.
var points = [...]string{"write", "wrote", "call", "called", "publish", "published", "ack"}

// crash is the whole installation in processes of its own, and what harms it.
type crash struct {
	t    *testing.T
	in   *installation
	dice *rand.Rand

	mu    sync.Mutex
	arms  *rand.Rand // of the crash points; asked by the programs' own goroutines
	armed bool
	at    map[string]int

	nats, ingest *program
	dispatchers  []*program
	stops        int
}

// arm is the environment of the next dispatcher: most of them die at a point.
func (c *crash) arm() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed || c.arms.IntN(3) == 0 {
		return nil
	}
	p := points[c.arms.IntN(len(points))]
	c.at[p]++
	return []string{"GONGDAN_CRASH=" + p + ":" + strconv.Itoa(1+c.arms.IntN(60))}
}

func (c *crash) disarm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
}

func (c *crash) all() []*program { return append([]*program{c.nats, c.ingest}, c.dispatchers...) }

func (c *crash) kills() int {
	n := 0
	for _, p := range c.all() {
		k, _ := p.deaths()
		n += k
	}
	return n
}

// start runs the four processes.
func (c *crash) start() {
	in := c.in
	c.nats = keep(c.t, in.dir, "nats", rand.New(rand.NewPCG(c.dice.Uint64(), 1)), in.natsServer, nil)
	until(c.t, 20*time.Second, 50*time.Millisecond, "the NATS server's token is there", func() (bool, string) {
		_, err := os.Stat(in.dir + "/nats.token")
		return err == nil, fmt.Sprint(err)
	})
	c.ingest = keep(c.t, in.dir, "ingest", rand.New(rand.NewPCG(c.dice.Uint64(), 2)), in.real("ingest"), nil)
	for i := range 2 {
		name := fmt.Sprintf("dispatcher%d", i+1)
		c.dispatchers = append(c.dispatchers, keep(c.t, in.dir, name, rand.New(rand.NewPCG(c.dice.Uint64(), 3)), in.real("dispatcher"), c.arm))
	}
}

// harm does one harmful thing.
func (c *crash) harm(ctx context.Context) {
	d := c.dispatchers[c.dice.IntN(2)]
	ms := func(from, to int) time.Duration { return time.Duration(from+c.dice.IntN(to-from)) * time.Millisecond }
	switch n := c.dice.IntN(100); {
	case n < 40:
		d.send(syscall.SIGKILL)
	case n < 50:
		c.dispatchers[0].send(syscall.SIGKILL)
		c.dispatchers[1].send(syscall.SIGKILL)
	case n < 62:
		c.ingest.send(syscall.SIGKILL)
	case n < 72:
		c.nats.send(syscall.SIGKILL)
	case n < 90:
		c.stops++
		d.hold(ctx, ms(100, 2000))
	case n < 95:
		c.stops++
		c.ingest.hold(ctx, ms(100, 1000))
	default:
		c.stops++
		c.nats.hold(ctx, ms(100, 1500))
	}
}

// unwell is what goes wrong at the vendors meanwhile.
func (c *customer) unwell() {
	const write, list = fakekingdee.APIHandle, fakekingdee.APIList
	for _, f := range []script.Fault{
		script.CommitThenHang(write, 0), script.CommitThenCut(write), script.CommitThenGarbage(write, false), script.CommitThenGarbage(write, true),
		{Kind: script.Cut, API: write},
		{Kind: script.Hang, API: write},
		{Kind: script.Status, API: write, Status: 502},
		{Kind: script.Late, API: write, Delay: 150 * time.Millisecond},
	} {
		c.wrong.Chance(0.02, f)
	}
	for _, f := range []script.Fault{
		{Kind: script.Cut, API: list}, {Kind: script.Status, API: list, Status: 500}, {Kind: script.Odd, API: list}, {Kind: script.Half, API: list},
	} {
		c.wrong.Chance(0.015, f)
	}
	for _, k := range []script.Kind{script.Cut, script.HTML, script.Status, script.Torn} {
		c.amiss.Chance(0.01, script.Fault{Kind: k})
	}
	c.amiss.Chance(0.03, script.Fault{Kind: script.Slow, Delay: 300 * time.Millisecond})
}

// plan is the size of a crash run.
type plan struct {
	kills, tenants, orders, acts int
	patience                     time.Duration // for all to have ended afterwards
}

// TestCrash: real programs die, stop and wake at random moments and between any
// two effects, and nothing is lost, doubled or out of order.
func TestCrash(t *testing.T) {
	p := plan{kills: 30, tenants: 5, orders: 34, acts: 10, patience: 3 * time.Minute}
	if testing.Short() {
		p = plan{kills: 12, tenants: 3, orders: 20, acts: 8, patience: 3 * time.Minute}
	}
	if text := os.Getenv("GONGDAN_SOAK_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		p = plan{kills: n, tenants: 5, orders: 40 + n/20, acts: 10, patience: 10 * time.Minute}
	}
	s := seed(t)
	r := crashRun(t, s, p)
	t.Log(r.String())
	if os.Getenv("GONGDAN_SOAK_KILLS") != "" && !t.Failed() {
		if err := os.WriteFile("../../docs/soak.md", []byte(r.page()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// report is what a crash run was.
type report struct {
	seed                       uint64
	took, drained              time.Duration
	kills, failed, stops       int
	callbacks, sent, accepted  int
	records                    int
	settled, again             int64
	outcomes, faults, deadlike string
	points                     string
}

func (r report) String() string {
	return fmt.Sprintf("%d kills, %d stops, %d ended by themselves in %v, quiet %v later; %d callbacks (%d sendings), %d accepted; %d handling records; outcomes %s; faults %s; armed %s; clerk: %d applied, %d sent again; letters:\n  %s",
		r.kills, r.stops, r.failed, r.took, r.drained, r.callbacks, r.sent, r.accepted, r.records, r.outcomes, r.faults, r.points, r.settled, r.again, r.deadlike)
}

func crashRun(t *testing.T, s uint64, p plan) report {
	in := install(t, s, set{tenants: p.tenants, kingdee: fakekingdee.Options{Latency: 3 * time.Millisecond}, weiban: fakeweiban.Options{Latency: 3 * time.Millisecond}})
	c := &crash{t: t, in: in, dice: rand.New(rand.NewPCG(s, 1)), arms: rand.New(rand.NewPCG(s, 9)), armed: true, at: map[string]int{}}
	var told [][]fakeweiban.Notice
	callbacks, sendings := 0, 0
	for i, x := range in.customers {
		dice := rand.New(rand.NewPCG(s, uint64(100+i)))
		lives, births := x.orders(t, p.orders, 3)
		notices := append(births, x.months(t, dice, lives, p.acts)...)
		callbacks += len(notices)
		told = append(told, fakeweiban.Doubled(s, 0.15, fakeweiban.Shuffled(s, 60, notices)))
		sendings += len(told[i])
	}
	c.start()
	books := in.books()
	k := &clerk{in: in, bus: books.bus}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var threads sync.WaitGroup
	defer threads.Wait()
	defer cancel()
	threads.Go(func() { k.work(ctx) })
	defer func() {
		if t.Failed() {
			t.Logf("the clerk's last trouble: %v", k.trouble.Load())
			for _, d := range c.dispatchers {
				d.send(syscall.SIGQUIT) // its log then says what it was at
			}
		}
	}()
	for _, x := range in.customers {
		x.unwell()
	}
	began := time.Now()
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		in.post(ctx, told, c, p)
	}()
	for c.kills() < p.kills || !isClosed(posted) {
		c.harm(ctx)
		wait(ctx, time.Duration(150+c.dice.IntN(900))*time.Millisecond)
	}
	took := time.Since(began)

	// All faults end; whatever is armed or stopped is replaced by a healthy process.
	c.disarm()
	for _, x := range in.customers {
		x.wrong.Clear()
		x.amiss.Clear()
		x.wrong.Release()
	}
	for _, d := range c.dispatchers {
		d.send(syscall.SIGKILL)
	}
	kills := c.kills()
	quiet := time.Now()
	for _, x := range in.customers {
		if err := x.weiban.Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	books.settled(t, p.patience)
	until(t, 20*time.Second, 200*time.Millisecond, "no letter waits", func() (bool, string) {
		left := 0
		for _, l := range books.letters(t) {
			if l.Waiting {
				left++
			}
		}
		return left == 0, fmt.Sprintf("%d wait", left)
	})
	drained := time.Since(quiet)
	cancel()
	threads.Wait()
	books.audited(t)
	in.breaches()
	if k := c.kills(); k < p.kills {
		t.Errorf("%d kills, want %d", k, p.kills)
	}
	return c.report(s, books, k, report{
		seed: s, took: took.Round(time.Second), drained: drained.Round(time.Second), kills: kills, callbacks: callbacks, sent: sendings,
	})
}

func (c *crash) report(s uint64, b *books, k *clerk, r report) report {
	faults := map[script.Kind]int{}
	for _, x := range c.in.customers {
		for _, played := range []map[script.Kind]int{x.wrong.Played(), x.amiss.Played()} {
			for kind, n := range played {
				faults[kind] += n
			}
		}
		r.accepted += x.weiban.Accepted()
		r.records += len(x.kingdee.Records(""))
	}
	for _, p := range c.all() {
		_, f := p.deaths()
		r.failed += f
	}
	r.stops = c.stops
	r.outcomes, r.faults, r.points = fmt.Sprint(b.outcomes), fmt.Sprint(faults), fmt.Sprint(c.at)
	r.deadlike = kinds(b.letters(c.t))
	r.settled, r.again = k.settled.Load(), k.sent.Load()
	return r
}

// post sends every customer's callbacks, spread over the time of the run.
func (in *installation) post(ctx context.Context, told [][]fakeweiban.Notice, c *crash, p plan) {
	const chunk = 4
	for at := 0; ctx.Err() == nil; at += chunk {
		more := false
		for i, x := range in.customers {
			if at < len(told[i]) {
				more = true
				x.weiban.Post(ctx, told[i][at:min(at+chunk, len(told[i]))]...)
			}
		}
		if !more {
			return
		}
		// Weiban's own pace, so that the backlog does not outlive the run.
		wait(ctx, chunk*time.Minute/540)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// page is docs/soak.md.
func (r report) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The last soak run

%q runs real programs (ingest, two dispatchers, a NATS server process) against the
simulated vendors, kills and stops them at random moments and at the crash points between two effects,
and then holds the books: nothing lost, no handling record doubled, order kept per bill, every applied
event with its one record. This page is written by the run itself.

| | |
|---|---|
| date | %s |
| machine | %d cores, %s/%s |
| seed | %d |
| processes killed (kill -9) | %d |
| processes stopped and woken (SIGSTOP) | %d |
| processes that ended by themselves (no NATS) | %d |
| crash points armed | %s |
| duration | %v, all settled %v later |
| callbacks made / sent / answered 200 | %d / %d / %d |
| how they ended | %s |
| handling records at Kingdee | %d |
| faults played by the vendors | %s |
| letters settled by the clerk: applied / sent again | %d / %d |
| audit of lost callbacks, doubled records, disorder and broken quotas | passed; this page is written by no other run |
`, "make soak", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, r.seed, r.kills, r.stops, r.failed, r.points,
		r.took, r.drained, r.callbacks, r.sent, r.accepted, r.outcomes, r.records, r.faults, r.settled, r.again)
	return b.String()
}
