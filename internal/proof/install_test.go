package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// customer is one tenant with its own two simulated vendors.
type customer struct {
	*harness.Tenant

	passed atomic.Int64      // story time that has passed, in nanoseconds
	calls  tally             // Kingdee's, by moment
	bills  map[string]string // of each order, by its number
	forgot []int             // how many handling records there were whenever STATE was lost
}

// set is how an installation differs from the ordinary one.
type set struct {
	harness.Options // Tenants are made here; Dispatcher "" is brisk

	tenants int
	epoch   time.Time // when Weiban's story begins, which then stands still but for what it tells; zero: now
	weiban  fakeweiban.Options
	kingdee fakekingdee.Options
}

// installation is one bridge, its customers, and the test that it is for.
type installation struct {
	*harness.Installation

	t         *testing.T
	customers []*customer
}

// brisk are intervals scaled to about a twelfth. The deadline of a call covers its
// time in the queue for the pace, which is not scaled: six orders at eight calls a
// second fit into it, sixteen would not.
const (
	brisk  = "  ownership: {renew: 250ms, expire: 1s}\n" + scaled
	scaled = `  calls: {timeout: 1500ms, read_timeout: 400ms, max_wait: 500ms}
  concurrency: 6
  breaker: {failures: 8, open_for: 300ms, probe_denied: 1s}
  retries: {quick_tries: 2, quick_first: 50ms, quick_max: 200ms, waits: [200ms, 400ms, 800ms, 1s], give_up: 10m}
  doubt: {looks: [200ms, 600ms]}
  sweeps: {expiry: 5s, doubles: 2s, trim: 5s, stalls: 2s}
  ack_wait: 2s
  stop_within: 2s
`
	// lasting is for runs in which no owner dies: a loaded machine must not end a claim.
	lasting = "  ownership: {renew: 1s, expire: 20s}\n"
)

// patience bounds what happens soon or never.
const patience = 2 * time.Minute

// install makes the vendors and writes the files; nothing of the bridge runs yet.
func install(t *testing.T, seed uint64, s set) *installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "gongdan-proof-run-")
	if err != nil {
		t.Fatal(err)
	}
	s.Dir = dir
	if s.Dispatcher == "" {
		s.Dispatcher = brisk
	}
	s.NATS = strings.Trim("connect_timeout: 20s, "+s.NATS, ", ")
	s.Ingest += "  publish_timeout: 2s\n"
	in := &installation{t: t}
	for i := range max(s.tenants, 1) {
		c := &customer{}
		s.Tenants = append(s.Tenants, c.options(seed, i, s))
		in.customers = append(in.customers, c)
	}
	if in.Installation, err = harness.New(t.Context(), s.Options); err != nil {
		t.Fatal(err)
	}
	for i, c := range in.customers {
		c.Tenant = in.Tenants[i]
	}
	t.Cleanup(func() { in.gone(dir) })
	return in
}

// gone ends what is left; the files of a run that failed stay.
func (in *installation) gone(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := in.Close(ctx); err != nil {
		in.t.Error(err)
	}
	if in.t.Failed() {
		in.t.Logf("everything of this run is kept in %s", dir)
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		in.t.Error(err)
	}
}

func (c *customer) options(seed uint64, i int, s set) harness.TenantOptions {
	w, k := s.weiban, s.kingdee
	w.Seed, w.Script = seed+uint64(i)+1, script.New(seed^uint64(i+77))
	w.Clock = func() time.Time {
		begin := s.epoch
		if begin.IsZero() {
			begin = time.Now()
		}
		return begin.Add(time.Duration(c.passed.Load()) - 20*24*time.Hour)
	}
	if w.Callback.Tries == 0 {
		w.Callback.Tries, w.Callback.RetryWait, w.Callback.Timeout = 20, 150*time.Millisecond, 3*time.Second
	}
	k.Seed, k.Script, k.Observe = seed+uint64(i)+1, script.New(seed+uint64(i)), c.calls.see
	return harness.TenantOptions{Name: fmt.Sprintf("t%d", i+1), Weiban: w, Kingdee: k}
}

// keep keeps a program running until the test ends, each new process after a
// short moment.
func (in *installation) keep(p *harness.Process, dice *rand.Rand, k harness.Keeping) *harness.Process {
	in.t.Helper()
	own := rand.New(rand.NewPCG(dice.Uint64(), 2))
	k.Pause = func() time.Duration { return time.Duration(20+own.IntN(250)) * time.Millisecond }
	end := p.Keep(k)
	in.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		end(ctx)
	})
	return p
}

// ready waits until programs are.
func (in *installation) ready(all ...*harness.Process) {
	in.t.Helper()
	for _, p := range all {
		until(in.t, patience, 20*time.Millisecond, p.Name+" is ready", func() (bool, string) {
			ctx, cancel := context.WithTimeout(in.t.Context(), 5*time.Second)
			defer cancel()
			err := p.Ready(ctx)
			return err == nil, fmt.Sprint(err)
		})
	}
}

// run runs a program's main work in this process until the test ends.
func (in *installation) run(name string, program func(app.Run, context.Context) error, change func(*config.Config)) *harness.Inside {
	in.t.Helper()
	p, err := in.Inside(name, program, harness.InsideOptions{Change: change})
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			in.t.Logf("%s: %v", name, err)
		}
	})
	return p
}

// observer is a connection of the test's own.
func (in *installation) observer() *bus.Bus {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), patience)
	defer cancel()
	b, err := in.Connect(ctx)
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() {
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = b.Close(end) // the server may be gone already
	})
	return b
}

// owner is the replica that owns the first tenant now.
func (in *installation) owner(b *bus.Bus) *harness.Process {
	in.t.Helper()
	list, err := ownership.Owners(in.t.Context(), b.Bucket("STATE"))
	if err != nil {
		in.t.Fatal(err)
	}
	for _, o := range list {
		for _, p := range in.Dispatchers { // an instance's name ends with its process's id
			if o.Tenant == in.customers[0].Name && !o.Released && strings.HasSuffix(o.Instance, fmt.Sprintf("-%d", p.PID())) {
				return p
			}
		}
	}
	in.t.Fatalf("the owner is none of ours: %+v", list)
	return nil
}

// hurry multiplies the pace of every tenant.
func hurry(cfg *config.Config, factor int) {
	for i := range cfg.Tenants {
		cfg.Tenants[i].Weiban.PerMinute *= factor
		cfg.Tenants[i].Kingdee.PerMinute *= factor
	}
}
