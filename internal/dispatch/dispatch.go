// Package dispatch runs the tenants that this process owns: of each, the stage
// enrich, which reads an event's detail from Weiban, and the stage handle, which
// turns the enriched event into Kingdee's handle-order.
//
// It decides nothing about an order: package ledger does, and dispatch carries
// out what it answers. Nor does it decide who owns a tenant: package ownership
// does. Everything of one order passes through one actor, a step at a time, and
// every record is written under the owner's claim. Package app runs it; the
// subcommands read what it keeps through the functions of this package, and act
// through the owner, by request and reply.
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
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/retention"
)

// Tenant is one customer: its two vendors' clients, its mapping, its settings.
type Tenant struct {
	Name    string
	Account string // Kingdee's account set id, the source of outcome events
	Ledger  ledger.Settings
	Quick   wait.Quick
	Mapping func() *mapping.Mapping // the one in force; asked once an event
	// Refused is why a changed mapping is not in force, nil if it is; nil: never.
	Refused func() error
	// Fresh brings the mapping's tables up to date before a replay is planned; nil
	// if they do not change.
	Fresh func(context.Context) error

	Weiban         *weiban.Client
	Kingdee        *kingdee.Client
	Photos         Photos              // nil: pictures are passed on by their address
	WeibanAccount  *connectors.Account // the accounts of the two clients: their state pauses stages
	KingdeeAccount *connectors.Account
	Guard          *Guard // asked by both accounts before anything is sent
}

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
	Bus       *bus.Bus // its streams are trimmed; nil, with Ports: none is
	Ports     Ports    // what is used of the bus beside that; default: Bus
	Events    *events.Codec
	Letters   *deadletter.Box
	Tenants   []Tenant
	Ownership ownership.Settings

	Concurrency int           // orders in hand per stage, noun and tenant; default 8
	MaxHeld     int           // messages held in memory per consumer; default 256
	AckWait     time.Duration // until an unacknowledged message comes again; default 60 s
	KeepSettled time.Duration // how long a settled record lives; default 400 days
	Beat        time.Duration // between two looks at the vendors' breakers and pauses; default 500 ms
	ProbeDenied time.Duration // after refused credentials; default 5 min
	MaxFuture   time.Duration // ingest's setting, for events from before it was there; default events.MaxFuture
	Expiry      time.Duration // between two sweeps for messages about to expire; default 10 min
	Trim        time.Duration // between two looks at the streams' room; default 1 min
	Stalls      time.Duration // between two looks whether a consumer makes progress; default 30 s
	StoreBeat   time.Duration // between two looks whether the store belongs together; default 2 s

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
	o.Concurrency = orDefault(o.Concurrency, 8)
	o.MaxHeld = orDefault(o.MaxHeld, 256)
	o.AckWait = orDefault(o.AckWait, time.Minute)
	o.KeepSettled = orDefault(o.KeepSettled, 400*24*time.Hour)
	o.Beat = orDefault(o.Beat, 500*time.Millisecond)
	o.ProbeDenied = orDefault(o.ProbeDenied, 5*time.Minute)
	o.Expiry = orDefault(o.Expiry, 10*time.Minute)
	o.Trim = orDefault(o.Trim, time.Minute)
	o.Stalls = orDefault(o.Stalls, 30*time.Second)
	o.StoreBeat = orDefault(o.StoreBeat, 2*time.Second)
	for _, t := range o.Tenants {
		if err := t.Ledger.Check(); err != nil {
			return fmt.Errorf("tenant %s: %w", t.Name, err)
		}
	}
	return nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Dispatcher is one replica.
type Dispatcher struct {
	o      Options
	tracer trace.Tracer
	meters meters
	runner *ownership.Runner
	state  Records
	space  wait.Space
	keeper *history.Keeper

	unseen  atomic.Pointer[error] // why the last look at the store failed; nil if it did not
	letters atomic.Int64          // open ones of all tenants, as last seen

	mu     sync.Mutex
	owners map[string]*owner
}

// New checks the options.
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
	if err := d.observe(o.Meter); err != nil {
		return nil, err
	}
	d.keeper = d.newKeeper()
	d.unseen.Store(&errUnseen)
	d.runner, err = ownership.NewRunner(ownership.Options{
		Instance: o.Instance, Tenants: d.tenantNames(), Store: o.Ports.Claims, Settings: o.Ownership, Logger: o.Logger,
	})
	return d, err
}

// Run owns tenants until ctx ends, then stops them softly, within the bounds of
// the ownership settings, and hands them over.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.o.Logger.InfoContext(ctx, "dispatcher ready", slog.Int("tenants", len(d.o.Tenants)))
	if err := d.beginStore(ctx); err != nil {
		return nil // stopped before it began
	}
	watched, end := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() { d.watchStore(watched) })
	defer watch.Wait()
	defer end()
	if d.o.Bus != nil {
		t := d.trimmer()
		t.Look(ctx, time.Now()) // before any owner makes a call
		var trims sync.WaitGroup
		trims.Go(func() { t.Run(ctx) })
		defer trims.Wait()
	}
	err := d.runner.Run(ctx, d.start)
	last, done := context.WithTimeout(context.WithoutCancel(ctx), d.o.Ownership.Reply)
	defer done()
	if _, err := d.keeper.Examine(last); err != nil {
		d.o.Logger.Debug("store not looked at in the end", slog.String("cause", err.Error()))
	}
	return err
}

func (d *Dispatcher) trimmer() *retention.Trimmer {
	return retention.New(retention.Options{
		Bus: d.o.Bus, Keeper: d.keeper, Space: &d.space, Tenants: d.tenantNames(), Every: d.o.Trim, KeepSettled: d.o.KeepSettled, Logger: d.o.Logger,
		Alerted: func() { d.meters.alert(context.Background(), "", retention.AlarmSpace) },
		Letters: func(open uint64) { d.letters.Store(int64(open)) },
	})
}

func (d *Dispatcher) tenantNames() []string {
	names := make([]string, len(d.o.Tenants))
	for i, t := range d.o.Tenants {
		names[i] = t.Name
	}
	return names
}

// start takes a tenant up under a tenure.
func (d *Dispatcher) start(t *ownership.Tenure) (ownership.Stop, error) {
	i := slices.IndexFunc(d.o.Tenants, func(x Tenant) bool { return x.Name == t.Tenant })
	if i < 0 {
		return nil, fmt.Errorf("tenant %s is not configured here", t.Tenant)
	}
	o := d.owner(d.o.Tenants[i], t)
	if err := o.open(); err != nil {
		o.cut()
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

// Ready says why the tenants of this replica are not all worked for now: it has no
// lease, a tenant that it claims does not start, or a stage of an owned one does
// not work. It is nil if all do.
func (d *Dispatcher) Ready(context.Context) error {
	all := d.runner.Ready()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.owners {
		all = errors.Join(all, o.why())
	}
	return all
}

// lookLate is after how long without a look at the store nothing is known of it:
// more than a look at each stream and bucket may take.
const lookLate = time.Minute

// StoreReady says which streams and buckets are not there, do not answer or have no
// room, as last looked at, and what of the store does not fit and is still being
// recovered; nil if there is nothing.
func (d *Dispatcher) StoreReady(context.Context) error {
	return errors.Join(d.storeReady(), d.storeWhy())
}

func (d *Dispatcher) storeReady() error {
	if d.o.Bus == nil {
		return nil // nobody looks
	}
	return d.space.Why(time.Now(), lookLate)
}
