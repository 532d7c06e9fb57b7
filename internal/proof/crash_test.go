package proof

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// crash is the whole installation in processes of its own, and what harms it.
type crash struct {
	in   *installation
	dice *rand.Rand

	mu    sync.Mutex
	arms  *rand.Rand // of the crash points; asked by the programs' own goroutines
	armed bool
	fired map[string]int // by point
	ends  map[harness.Ending]int
	stops int

	gate   *gate
	faults *storeFaults // nil: the store is left alone
}

// arm is the environment of the next dispatcher: most of them die at a point.
func (c *crash) arm() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed || c.arms.IntN(3) == 0 {
		return nil
	}
	all := slices.Sorted(maps.Keys(points))
	return dieAt(all[c.arms.IntN(len(all))], 1+c.arms.IntN(25))
}

// ended counts how the processes end, and at which points.
func (c *crash) ended(env []string, how harness.Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends[how]++
	if how == harness.Died {
		c.fired[pointOf(env)]++
	}
}

func (c *crash) disarm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
}

// kills are the deaths by SIGKILL so far, the programs' own ones included.
func (c *crash) kills() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ends[harness.Killed] + c.ends[harness.Died]
}

// start runs the four processes.
func (c *crash) start() {
	c.in.ready(c.in.keep(c.in.Servers[0], c.dice, c.kept(c.in.Servers[0], nil)))
	c.in.keep(c.in.Ingest, c.dice, c.kept(c.in.Ingest, nil))
	for _, p := range c.in.Dispatchers {
		c.in.keep(p, c.dice, c.kept(p, c.arm))
	}
}

// kept counts how a process ends, and lets it start only while its gate is open.
func (c *crash) kept(p *harness.Process, env func() []string) harness.Keeping {
	return harness.Keeping{
		Env: func() []string {
			c.gate.enter(p)
			if env == nil {
				return nil
			}
			return env()
		},
		Ended: func(env []string, how harness.Ending) {
			c.ended(env, how)
			c.gate.leave(p)
		},
	}
}

// hold stops a process for a while, then wakes it.
func (c *crash) hold(ctx context.Context, p *harness.Process, d time.Duration) {
	c.stops++
	if p.Suspend() == nil {
		pause(ctx, d)
		_ = p.Resume() // it may have been ended meanwhile
	}
}

// harm does one harmful thing.
func (c *crash) harm(ctx context.Context) {
	all := c.in.Dispatchers
	d := all[c.dice.IntN(len(all))]
	kill := func(p *harness.Process) { _ = p.Signal(syscall.SIGKILL) } // it may be dead already
	ms := func(from, to int) time.Duration { return time.Duration(from+c.dice.IntN(to-from)) * time.Millisecond }
	switch n := c.dice.IntN(100); {
	case n < 40:
		kill(d)
	case n < 50:
		kill(all[0])
		kill(all[1])
	case n < 62:
		kill(c.in.Ingest)
	case n < 72:
		kill(c.in.Servers[0])
	case n < 90:
		c.hold(ctx, d, ms(100, 2000))
	case n < 95:
		c.hold(ctx, c.in.Ingest, ms(100, 1000))
	default:
		c.hold(ctx, c.in.Servers[0], ms(100, 1500))
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
		c.KingdeeFaults.Chance(0.02, f)
	}
	for _, f := range []script.Fault{
		{Kind: script.Cut, API: list}, {Kind: script.Status, API: list, Status: 500}, {Kind: script.Odd, API: list}, {Kind: script.Half, API: list},
	} {
		c.KingdeeFaults.Chance(0.015, f)
	}
	for _, k := range []script.Kind{script.Cut, script.HTML, script.Status, script.Torn} {
		c.WeibanFaults.Chance(0.01, script.Fault{Kind: k})
	}
	c.WeibanFaults.Chance(0.03, script.Fault{Kind: script.Slow, Delay: 300 * time.Millisecond})
}

// plan is the size of a crash run.
type plan struct {
	kills, tenants, orders, acts int
	patience                     time.Duration // for all to have ended afterwards
	storeEvery                   int           // kills between two faults of the store; 0: there are none
}

// TestCrash: real programs die, stop and wake at random moments and between any
// two effects, and nothing is lost, doubled or out of order.
func TestCrash(t *testing.T) {
	t.Parallel()
	p := plan{kills: 30, tenants: 8, orders: 22, acts: 10, patience: 3 * time.Minute}
	if testing.Short() {
		p = plan{kills: 12, tenants: 3, orders: 20, acts: 8, patience: 3 * time.Minute}
	}
	if text := os.Getenv("GONGDAN_SOAK_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		p = plan{kills: n, tenants: 5, orders: 40 + n/20, acts: 10, patience: 10 * time.Minute}
		if os.Getenv("GONGDAN_SOAK_STORE") == "1" {
			p.storeEvery = max(5, min(60, n/8))
		}
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

func crashRun(t *testing.T, s uint64, p plan) report {
	o := set{
		Options: harness.Options{Programs: programs(t), Servers: 1, Dispatchers: 2}, tenants: p.tenants, kingdee: fakekingdee.Options{Latency: 3 * time.Millisecond}, weiban: fakeweiban.Options{Latency: 3 * time.Millisecond},
	}
	if p.storeEvery > 0 {
		o.weiban.Callback = patient()
	}
	in := install(t, s, o)
	c := &crash{in: in, dice: rand.New(rand.NewPCG(s, 1)), arms: rand.New(rand.NewPCG(s, 9)), armed: true, fired: map[string]int{}, ends: map[harness.Ending]int{}, gate: newGate()}
	if p.storeEvery > 0 {
		c.faults = &storeFaults{every: p.storeEvery, played: map[string]int{}}
	}
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
	k := in.clerk(books)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	defer func() {
		if t.Failed() {
			for _, d := range in.Dispatchers {
				_ = d.Signal(syscall.SIGQUIT) // its log then says what it was at
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
		if c.faults.due(c.kills()) {
			c.harmStore(t, books)
		}
		pause(ctx, time.Duration(150+c.dice.IntN(900))*time.Millisecond)
	}
	took := time.Since(began)

	// All faults end; whatever is armed or stopped is replaced by a healthy process.
	c.disarm()
	for _, x := range in.customers {
		x.KingdeeFaults.Clear()
		x.WeibanFaults.Clear()
		x.KingdeeFaults.Release()
	}
	for _, d := range in.Dispatchers {
		_ = d.Signal(syscall.SIGKILL) // it may be dead already
	}
	kills := c.kills()
	quiet := time.Now()
	for _, x := range in.customers {
		if err := x.Weiban.Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	books.settled(t, p.patience)
	drained := time.Since(quiet)
	k.leave()
	books.audited(t)
	in.breaches()
	if k := c.kills(); k < p.kills {
		t.Errorf("%d kills, want %d", k, p.kills)
	}
	return c.report(s, books, k, report{
		seed: s, took: took.Round(time.Second), drained: drained.Round(time.Second), kills: kills, callbacks: callbacks, sent: sendings,
	})
}

// post sends every customer's callbacks, spread over the time of the run.
func (in *installation) post(ctx context.Context, told [][]fakeweiban.Notice, c *crash, p plan) {
	const chunk = 4
	for at := 0; ctx.Err() == nil; at += chunk {
		more := false
		for i, x := range in.customers {
			if at < len(told[i]) {
				more = true
				x.Weiban.Post(ctx, told[i][at:min(at+chunk, len(told[i]))]...)
			}
		}
		if !more {
			return
		}
		// Weiban's own pace, so that the backlog does not outlive the run; and where
		// there are many kills, some callbacks before each of them.
		spread := time.Duration(p.kills) * 600 * time.Millisecond * chunk / time.Duration(len(told[0]))
		pause(ctx, max(chunk*time.Minute/540, spread))
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
