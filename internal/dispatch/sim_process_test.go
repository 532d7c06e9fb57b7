package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	mnoop "go.opentelemetry.io/otel/metric/noop"
	tnoop "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/accounttest"
)

// simLease is how long a lease lives.
const simLease = 16 * time.Second

// process is one life of a replica. What it does to the world goes through its
// ports and its transport: those die with it, and stand still while it is stopped.
type process struct {
	w      *world
	slot   int
	name   string
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	dead     bool
	leaving  bool
	asleep   chan struct{} // closed when it is woken; nil while it runs
	running  []dispatch.Consumer
	delivers map[string]*sieve
}

var errDead = errors.New("this process is dead")

// launch begins another life in a slot, unless the history is over.
func (w *world) launch(slot int) {
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return
	}
	w.started++
	name := fmt.Sprintf("r%d-%d", slot, w.started)
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{w: w, slot: slot, name: name, cancel: cancel, done: make(chan struct{}), delivers: map[string]*sieve{}}
	w.slots[slot] = p
	w.mu.Unlock()
	d, err := dispatch.New(p.options())
	if err != nil {
		w.fail("%s: %v", name, err)
	}
	w.logf("%s begins", name)
	w.acting.Go(func() {
		defer close(p.done)
		if err := d.Run(ctx); err != nil && !p.isDead() && time.Now().After(w.calm) {
			w.fail("%s: %v", name, err)
		}
		w.logf("%s has ended", name)
	})
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// die is kill -9: from this instant on nothing that it does takes effect. Another
// life begins a little later.
func (p *process) die(why string) {
	p.mu.Lock()
	if p.dead || p.leaving {
		p.mu.Unlock()
		return
	}
	p.dead = true
	running := p.running
	p.mu.Unlock()
	p.w.logf("%s is killed: %s", p.name, why)
	p.wake()
	p.cancel()
	for _, k := range running {
		_ = k.Stop(gone()) // it asks for nothing more; its message in hand goes nowhere
	}
	p.w.mu.Lock()
	p.w.kills++
	p.w.mu.Unlock()
	rest := time.Second + time.Duration(p.w.dice("rest").Int64N(int64(30*time.Second)))
	p.w.acting.Go(func() {
		sleep.For(context.Background(), rest)
		p.w.launch(p.slot)
	})
}

// sleep is SIGSTOP, and SIGCONT a while later.
func (p *process) sleep(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead || p.asleep != nil {
		return
	}
	p.w.logf("%s stands still for %v", p.name, d)
	p.asleep = make(chan struct{})
	time.AfterFunc(d, p.wake)
}

func (p *process) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asleep != nil {
		p.w.logf("%s goes on", p.name)
		close(p.asleep)
		p.asleep = nil
	}
}

// awake waits while the process stands still; an error means that it is dead.
func (p *process) awake() error {
	for {
		p.mu.Lock()
		dead, asleep := p.dead, p.asleep
		p.mu.Unlock()
		switch {
		case dead:
			return errDead
		case asleep == nil:
			return nil
		}
		<-asleep
	}
}

// asleepNow waits while the process stands still and says whether it did.
func (p *process) asleepNow() bool {
	p.mu.Lock()
	asleep := p.asleep
	p.mu.Unlock()
	if asleep != nil {
		<-asleep
	}
	return asleep != nil
}

// stop is SIGTERM, once all is at rest.
func (p *process) stop() {
	p.mu.Lock()
	p.leaving = true
	p.mu.Unlock()
	p.cancel()
	<-p.done
}

func (p *process) options() dispatch.Options {
	w := p.w
	guard := &dispatch.Guard{}
	t := dispatch.Tenant{
		Name: "acme", Account: w.kingdee.Account().AccountID, Ledger: w.weather.ledger, Guard: guard,
		Vendors: work.Vendors{
			Quick: wait.Quick{Tries: 2, Initial: time.Second, Max: 2 * time.Second},
			Mapping: func() *mapping.Mapping {
				if w.fixed.Load() {
					return w.tools.rules[1]
				}
				return w.tools.rules[0]
			},
		},
	}
	account := func(vendor string, base http.RoundTripper) *connectors.Account {
		acct, err := connectors.NewAccount(accounttest.Bounds(connectors.AccountOptions{
			Vendor: vendor, Tenant: "acme", Timeout: 20 * time.Second, MaxWait: 2 * time.Second, Before: guard.Check,
			HTTP:    &http.Client{Transport: &wire{p: p, vendor: vendor, base: base}},
			Breaker: connectors.BreakerSettings{Failures: 5, OpenFor: 10 * time.Second},
			Tracer:  tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
		}))
		if err != nil {
			w.fail("%s: %v", p.name, err)
		}
		return acct
	}
	t.Accounts.Weiban, t.Accounts.Kingdee = account("weiban", w.weiban.Transport()), account("kingdee", w.kingdee.Transport())
	t.Weiban = weiban.New(weiban.Options{
		BaseURL: w.weiban.URL(), CorpID: w.weiban.CorpID(), Secret: simSecret, Account: t.Accounts.Weiban,
		Vault: connectors.MemoryVault(), TokenPerMinute: 600,
	})
	a := w.kingdee.Account()
	t.Kingdee = kingdee.New(kingdee.Options{
		BaseURL: w.kingdee.URL(), AccountID: a.AccountID, Account: t.Accounts.Kingdee, Vault: connectors.MemoryVault(), UserID: a.UserID,
		Static:       &kingdee.Static{AccessToken: w.kingdee.NewToken(), GroupName: a.GroupName, Domain: a.Domain},
		AuthorityKey: authorityKey, AuthorityIV: authorityIV,
	})
	return dispatch.Options{
		Instance: p.name, Ports: dispatch.Ports{Log: portLog{p}, Inbox: portInbox{p}, Records: portBucket{p}, Claims: portBucket{p}, Store: dispatch.StorePorts{Log: portStore{portLog{p}}, State: portBucket{p}, Tables: w.server.Bucket(bus.Tables)}},
		Events: w.tools.codec, Letters: deadletter.NewBox(portLetters{portLog{p}, w.server}, time.Now), Tenants: []dispatch.Tenant{t},
		Ownership:   ownership.Settings{Renew: 4 * time.Second, Expire: simLease, CallTimeout: 20 * time.Second},
		Concurrency: w.weather.concurrency, MaxHeld: w.weather.maxHeld, AckWait: 30 * time.Second,
		Beat: 2 * time.Second, ProbeDenied: 20 * time.Second, Expiry: 2 * time.Minute, StoreBeat: w.accident.beat(),
		KeepSettled: 9600 * time.Hour, MaxFuture: events.MaxFuture, Trim: time.Minute, Stalls: 30 * time.Second,
		Logger: slog.New(witness{p: p}), Tracer: tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
	}
}

// simLedger are the settings that histories begin from.
func simLedger() ledger.Settings {
	s := ledger.Defaults("acme")
	s.Waits = []time.Duration{10 * time.Second, 30 * time.Second, 2 * time.Minute}
	s.Probe, s.LockWait, s.Doubles = 20*time.Second, 20*time.Second, 3*time.Minute
	return s
}

// wire carries a process's calls to a vendor.
type wire struct {
	p      *process
	vendor string
	base   http.RoundTripper
}

// refused is a connection that did not come about: nothing ran.
func refused() error { return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED} }

// RoundTrip carries one call; the process may die before it, or when it has run.
func (t *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	p, w := t.p, t.p.w
	// What stands still between its last look at the lease and the first byte could
	// go out late, whatever anybody does: here its connection is gone by then.
	if p.asleepNow() || p.isDead() || r.Context().Err() != nil {
		return nil, refused()
	}
	d := w.dice(t.vendor + r.URL.Path)
	before, after := w.chance(d, w.weather.killCall), w.chance(d, w.weather.killCall)
	if before {
		p.die("before a call")
		return nil, refused()
	}
	w.books.called(p, r.URL.Path)
	w.logf("%s calls %s", p.name, r.URL.Path)
	send := t.base.RoundTrip
	if w.mistake.repeatsWrites {
		send = t.again
	}
	resp, err := send(r)
	if err != nil {
		w.logf("%s hears of %s: %v", p.name, r.URL.Path, err)
	}
	if after {
		p.die("behind a call")
	}
	if dead := p.awake(); dead != nil {
		return nil, dead
	}
	return resp, err
}

// witness reads the log for what must never stand there.
type witness struct{ p *process }

func (h witness) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || h.p.w.verbose
}
func (h witness) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h witness) WithGroup(string) slog.Handler      { return h }

func (h witness) Handle(_ context.Context, r slog.Record) error {
	text := h.p.name + " says: " + r.Message
	alarm := false
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		switch a.Value.String() {
		case "panicked", string(ledger.AlarmDoubled), string(ledger.AlarmDisorder):
			alarm = true
		case string(ledger.AlarmVanished):
			// What an order waits with can go with the store alone.
			alarm = !h.p.w.after()
		}
		if a.Key == "store" {
			h.p.w.books.alarm(a.Value.String())
		}
		return true
	})
	switch {
	case h.p.isDead():
	case alarm:
		h.p.w.fail("%s", text)
	default:
		h.p.w.logf("%s", text)
	}
	return nil
}
