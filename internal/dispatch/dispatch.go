package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/store"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/ownership"
)

// Tenant is one customer: its two vendors' clients, its mapping, its settings.
type Tenant struct {
	Name    string
	Account string // Kingdee's account set id, the source of outcome events
	Ledger  ledger.Settings
	work.Vendors
	// Refused is why a changed mapping is not in force, nil if it is; nil: never.
	Refused  func() error
	Sources  func() ([]byte, error) // of the mapping in force, packed for operators; nil: they are not told
	Accounts wait.Accounts          // of the two clients: their state pauses stages
	Guard    *Guard                 // asked by both accounts before anything is sent
}

// A tenant is made of these; they are declared where they are used.
type (
	Vendors  = work.Vendors
	Accounts = wait.Accounts
	Quick    = wait.Quick
)

// Guard keeps a tenant's accounts closed unless this process owns the tenant.
type Guard struct {
	tenure atomic.Pointer[ownership.Tenure]
}

// Check is for [connectors.AccountOptions].Before.
func (g *Guard) Check(ctx context.Context) error {
	t := g.tenure.Load()
	if t == nil {
		return ownership.ErrLost
	}
	return t.Check(ctx)
}

// Options are the dispatcher's settings; those with a default may be zero.
type Options struct {
	Instance  string
	Bus       *bus.Bus // its streams are trimmed; nil, with Ports: no stream is
	Ports     Ports    // what else is used of the bus; default: Bus
	Events    *events.Codec
	Letters   *store.Letters
	Tenants   []Tenant
	Ownership ownership.Settings

	Concurrency int           // slots of a queue: orders that are worked on at once
	MaxHeld     int           // messages held in memory per consumer
	AckWait     time.Duration // until an unacknowledged message is redelivered
	KeepSettled time.Duration // how long a settled record lives
	Beat        time.Duration // between two checks of the vendors' breakers and pauses
	ProbeDenied time.Duration // after refused credentials
	MaxFuture   time.Duration // ingest's setting, for events that were stored before it existed
	Expiry      time.Duration // between two sweeps for messages about to expire
	Trim        time.Duration // between two trims of a stream that stays too full
	Foreign     float64       // from this share of a stream on, consumers of other services hold nothing back
	Stalls      time.Duration // between two checks whether a consumer makes progress
	StoreBeat   time.Duration // between two checks whether the store belongs together

	Logger *slog.Logger
	Tracer trace.TracerProvider
	Meter  metric.MeterProvider
}

func (o *Options) complete() error {
	if o.Bus != nil && o.Ports == (Ports{}) {
		o.Ports = portsOf(o.Bus)
	}
	if !o.Ports.complete() || o.Events == nil || o.Letters == nil || o.Logger == nil || o.Tracer == nil || o.Meter == nil {
		return errors.New("dispatch: bus or ports, events, letters, logger, tracer and meter are needed")
	}
	var err error
	if o.Ownership, err = o.Ownership.Complete(); err != nil {
		return fmt.Errorf("ownership settings: %w", err)
	}
	if o.Concurrency <= 0 || o.MaxHeld <= 0 ||
		min(o.AckWait, o.KeepSettled, o.Beat, o.ProbeDenied, o.MaxFuture, o.Expiry, o.Trim, o.Stalls, o.StoreBeat) <= 0 {
		return errors.New("dispatch: every bound and interval must be more than 0")
	}
	if o.Foreign < 0 || o.Foreign > 1 {
		return errors.New("dispatch: the share that other services may hold must be from 0 to 1")
	}
	for _, t := range o.Tenants {
		if err := t.Ledger.Check(); err != nil {
			return fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		if q := t.Quick; q.Tries <= 0 || q.Initial <= 0 || q.Max <= 0 {
			return fmt.Errorf("tenant %s: the schedule of quick tries has a zero", t.Name)
		}
	}
	return nil
}

// Dispatcher is one replica.
type Dispatcher struct {
	o      Options
	tracer trace.Tracer
	meters meters
	runner *ownership.Runner
	state  Records
	space  wait.Space
	watch  *store.Watch

	letters atomic.Int64 // open ones of all tenants, as last seen

	mu     sync.Mutex
	owners map[string]*owner
}

// New checks the options and returns a dispatcher that owns nothing yet.
func New(o Options) (*Dispatcher, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	m, err := newMeters(o.Meter)
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{
		o: o, tracer: o.Tracer.Tracer("gongdan-bridge/internal/dispatch"), meters: m,
		state: o.Ports.Records, owners: map[string]*owner{},
	}
	m.begin(context.Background(), d.tenantNames())
	if err := d.observe(o.Meter); err != nil {
		return nil, err
	}
	d.watch = store.NewWatch(o.Ports.Store, o.Ownership.Expire, func() {
		m.alert(context.Background(), "", ledger.AlarmStore)
	}, o.Logger)
	d.runner, err = ownership.NewRunner(ownership.Options{
		Instance: o.Instance, Tenants: d.tenantNames(), Store: o.Ports.Claims, Settings: o.Ownership, Logger: o.Logger,
	})
	return d, err
}

// Run owns tenants until ctx ends, then stops them softly, within the bounds of
// the ownership settings, and hands them over.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.o.Logger.InfoContext(ctx, "dispatcher ready", slog.Int("tenants", len(d.o.Tenants)))
	if !wait.Retry(ctx, time.Second, time.Second, func() bool { return d.watch.Begin(ctx) }) || ctx.Err() != nil {
		return nil // stopped before it began
	}
	watched, end := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() { d.watch.Run(watched, d.o.StoreBeat, d.endOtherHistories) })
	defer watch.Wait()
	defer end()
	if d.o.Bus != nil {
		defer d.trim(ctx)()
	}
	err := d.runner.Run(ctx, d.start)
	last, done := context.WithTimeout(context.WithoutCancel(ctx), d.o.Ownership.Reply)
	defer done()
	d.watch.End(last)
	return err
}

// endOtherHistories ends the tenures that began in another history of the store; each tenant
// is then taken again, in this one.
func (d *Dispatcher) endOtherHistories(history string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.owners {
		if o.store.History() != history {
			o.tenure.Lost()
		}
	}
}

// trim keeps the streams within their limits until ctx ends; it looks once before it returns,
// and so before any owner makes a call.
func (d *Dispatcher) trim(ctx context.Context) (wait func()) {
	t := d.watch.Trimmer(store.Trimming{
		Bus: d.o.Bus, Space: &d.space, Tenants: d.tenantNames(), Every: d.o.Trim, KeepSettled: d.o.KeepSettled, Foreign: d.o.Foreign,
		Alerted: func(why ledger.Alarm) { d.meters.alert(context.Background(), "", why) },
		Letters: func(open uint64) { d.letters.Store(int64(open)) },
	})
	t.Look(ctx, time.Now())
	var trims sync.WaitGroup
	trims.Go(func() { t.Run(ctx) })
	return trims.Wait
}

func (d *Dispatcher) tenantNames() []string {
	names := make([]string, len(d.o.Tenants))
	for i, t := range d.o.Tenants {
		names[i] = t.Name
	}
	return names
}

// start takes a tenant over under a tenure.
func (d *Dispatcher) start(t *ownership.Tenure) (ownership.Stop, error) {
	i := slices.IndexFunc(d.o.Tenants, func(x Tenant) bool { return x.Name == t.Tenant })
	if i < 0 {
		return nil, fmt.Errorf("tenant %s is not configured here", t.Tenant)
	}
	o := d.owner(d.o.Tenants[i], t)
	if err := o.open(); err != nil {
		o.abort()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owners[t.Tenant] = o
	return func(ctx context.Context) error {
		err := o.close(ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.owners, t.Tenant)
		return err
	}, nil
}

// Ready says why this replica does not work for all of its tenants now: it has no lease, a
// claimed tenant does not start, or a stage of an owned tenant does not work. It is nil if
// all work.
func (d *Dispatcher) Ready(context.Context) error {
	all := d.runner.Ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.owners {
		all = errors.Join(all, o.why())
	}
	return all
}

// lookLate is how old the last check of the store may be: longer than the check of every
// stream and bucket may take.
const lookLate = time.Minute

// StoreReady says which streams and buckets are missing, do not answer or have no space, as
// of the last check, and which part of the store does not fit and is still being recovered;
// nil for nothing.
func (d *Dispatcher) StoreReady(context.Context) error {
	return errors.Join(d.storeReady(), d.storeWhy())
}

func (d *Dispatcher) storeReady() error {
	if d.o.Bus == nil {
		return nil // nothing is checked
	}
	return d.space.Why(time.Now(), lookLate)
}
