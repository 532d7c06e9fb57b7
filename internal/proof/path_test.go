package proof

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/app/embedded"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// BenchmarkPath is the whole path of a callback through both programs, each a process
// of its own, on an embedded server that writes every message to the disk. The vendors
// have no latency and no quota, and the pace of the calls is lifted.
//
// light sends one callback after the other: the time from Weiban's POST to the arrival of
// its handle-order, the median. full sends all at once: the processor time of both
// programs for each callback. To compare two commits, build the test of each with
// go test -c, and run them in turns.
func BenchmarkPath(b *testing.B) {
	b.Run("light", func(b *testing.B) {
		p := newPath(b, (b.N+visits-1)/visits)
		b.ResetTimer()
		took := make([]time.Duration, b.N)
		for i := range took {
			n := p.visit(b, i/visits)
			began := time.Now()
			if _, err := p.tenant.Weiban.Send(b.Context(), n); err != nil {
				b.Fatal(err)
			}
			took[i] = p.arrives(b).Sub(began)
			p.settled(b, i+1)
		}
		b.StopTimer()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
	})
	b.Run("full", func(b *testing.B) {
		orders := (b.N + visits - 1) / visits
		p := newPath(b, orders)
		var notices []fakeweiban.Notice
		for i := range b.N {
			notices = append(notices, p.visit(b, i%orders))
		}
		before := p.processorTime(b)
		b.ResetTimer()
		p.tenant.Weiban.Post(b.Context(), notices...)
		p.settled(b, b.N)
		b.StopTimer()
		b.ReportMetric(float64((p.processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	})
}

// visits is how many callbacks each order gets.
const visits = 5

// path is an installation to be measured.
type path struct {
	*harness.Installation

	tenant  *harness.Tenant
	bus     *bus.Bus
	orders  []*life
	passed  atomic.Int64   // seconds of Weiban's story
	arrived chan time.Time // when a handle-order came
}

func newPath(b *testing.B, orders int) *path {
	b.Helper()
	const none = 1 << 30
	p := &path{arrived: make(chan time.Time, 2*b.N+16)}
	seen := func(e script.Event) {
		if e.API == fakekingdee.APIHandle {
			p.arrived <- time.Now()
		}
	}
	clock := func() time.Time {
		return time.Now().Add(time.Duration(p.passed.Load())*time.Second - 20*24*time.Hour)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	p.Installation, err = harness.New(b.Context(), harness.Options{
		Dir: b.TempDir(), LogLevel: "warn",
		Programs:   harness.Programs{Ingest: self, Dispatcher: self},
		Dispatcher: "  concurrency: 16\n",
		Tenants: []harness.TenantOptions{{
			Name: "acme",
			Weiban: fakeweiban.Options{Clock: clock, Callback: fakeweiban.Callback{Senders: 16}, Limits: fakeweiban.Limits{
				InFlight: none, PerMinute: none, PerHour: none, Minute: time.Minute, Hour: time.Hour,
			}},
			Kingdee: fakekingdee.Options{
				Observe: seen, Limits: fakekingdee.Limits{PerMinute: none, TokensPerMinute: none, Minute: time.Minute},
			},
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			b.Error(err)
		}
	})
	p.tenant = p.Tenants[0]
	p.tenant.Kingdee.Seed(orders+1, nil)
	created, err := p.tenant.Weiban.Seed(orders+1, nil)
	if err != nil {
		b.Fatal(err)
	}
	staff := fakeweiban.Roster()
	for i, n := range created {
		p.orders = append(p.orders, &life{number: n.Key, handler: staff[(i+1)%len(staff)].ID}) // as seeded
	}
	p.Ingest.Env, p.Dispatchers[0].Env = []string{role + "=ingest at once"}, []string{role + "=dispatcher at once"}
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		b.Fatal(err)
	}
	if p.bus, err = p.Connect(ctx); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.bus.Close(context.Background()) })
	// The last order's visit is there to authorise the programs, and to end the quiet time.
	if _, err := p.tenant.Weiban.Send(ctx, p.visit(b, orders)); err != nil {
		b.Fatal(err)
	}
	p.arrives(b)
	p.settled(b, 0)
	return p
}

// visit is the notice of another visit to an order.
func (p *path) visit(b *testing.B, order int) fakeweiban.Notice {
	b.Helper()
	p.passed.Add(1)
	l, staff := p.orders[order], fakeweiban.Roster()
	next := staff[int(p.passed.Load())%len(staff)].ID
	n, err := p.tenant.Weiban.Switch(l.number, fakeweiban.Act{Staff: l.handler, Handler: next, Text: "已上门"})
	if err != nil {
		b.Fatal(err)
	}
	l.handler = next
	return n
}

// arrives is when the next handle-order came.
func (p *path) arrives(b *testing.B) time.Time {
	b.Helper()
	select {
	case at := <-p.arrived:
		return at
	case <-time.After(patience):
		b.Fatal("no handle-order came")
		return time.Time{}
	}
}

// settled waits until n callbacks behind the first have their enriched and their outcome event.
func (p *path) settled(b *testing.B, n int) {
	b.Helper()
	for end := time.Now().Add(patience); ; pause(b.Context(), 5*time.Millisecond) {
		u, err := p.bus.Usage(b.Context(), bus.Events)
		if err != nil {
			b.Fatal(err)
		}
		if u.Messages >= 2*uint64(n+1) {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("%d events in %s, want %d", u.Messages, bus.Events, 2*(n+1))
		}
	}
}

// processorTime is what both programs have used so far; only Linux tells.
func (p *path) processorTime(b *testing.B) (used time.Duration) {
	b.Helper()
	const tick = 10 * time.Millisecond // USER_HZ
	for _, q := range p.Processes() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", q.PID()))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
		for _, field := range strings.Fields(rest)[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			used += time.Duration(n) * tick
		}
	}
	return used
}

// atOnceRole is one of the real programs, with the pace of its calls lifted.
func atOnceRole(ctx context.Context, program func(app.Run, context.Context) error) error {
	cfg, err := config.Load(os.Args[len(os.Args)-1], os.LookupEnv) // -c bridge.yaml
	if err != nil {
		return err
	}
	hurry(cfg, 10_000)
	return program(app.Run{Config: cfg, Env: os.LookupEnv, Log: os.Stderr, NATS: embedded.NATS, Alone: true}, ctx)
}
