package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/telemetry"
)

// Dispatcher runs both stages of every tenant until ctx ends or a part of it
// fails for good. The calls in hand are finished within the configured bound.
func (r Run) Dispatcher(ctx context.Context) error {
	cfg := r.Config
	b, err := r.begin(ctx, "gongdan-dispatcher", cfg.Dispatcher.Name())
	if err != nil {
		return err
	}
	return b.end(r.dispatcher(ctx, b), cfg.Dispatcher.StopWithin)
}

func (r Run) dispatcher(ctx context.Context, b *base) error {
	cfg := b.cfg.Dispatcher
	conn, err := b.connect(ctx, cfg.Name(), eventPayload(b.cfg), false)
	if err != nil {
		return err
	}
	sync := b.probeSync(ctx, conn)
	codec, err := eventCodec()
	if err != nil {
		return err
	}
	tenants, err := b.tenants(ctx, conn)
	if err != nil {
		return err
	}
	d, err := dispatch.New(dispatch.Options{
		Instance: cfg.Name(), Bus: conn, Events: codec, Letters: deadletter.NewBox(conn, time.Now), Tenants: tenants,
		Ownership: ownership.Settings{
			Renew: cfg.Ownership.Renew, Expire: cfg.Ownership.Expire, CallTimeout: cfg.Calls.ReadTimeout, SoftStop: cfg.StopWithin,
		},
		Concurrency: b.concurrency(), MaxHeld: cfg.MaxHeld, AckWait: cfg.AckWait, KeepSettled: cfg.KeepSettled,
		Beat: min(500*time.Millisecond, cfg.Breaker.OpenFor/4), ProbeDenied: cfg.Breaker.ProbeDenied,
		MaxFuture: b.cfg.Ingest.MaxFuture, Expiry: cfg.Sweeps.Expiry, Trim: cfg.Sweeps.Trim, Stalls: cfg.Sweeps.Stalls,
		Logger: b.log, Tracer: b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	checks := []telemetry.Check{
		{Name: "nats", Ready: conn.Ready}, sync, {Name: "store", Ready: d.StoreReady}, {Name: "stages", Ready: d.Ready},
	}
	admin, err := b.admin(ctx, cfg.Admin, failed, append(checks, mappingChecks(tenants)...)...)
	if err != nil {
		return err
	}
	if r.Ready != nil {
		r.Ready(Addresses{Admin: admin.addr})
	}
	soft, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.Run(soft) }()
	select {
	case err := <-done:
		return err
	case err := <-failed:
		stop()
		return errors.Join(err, <-done)
	}
}

// tenants builds each tenant's mapping, lines and clients.
func (b *base) tenants(ctx context.Context, conn *bus.Bus) ([]dispatch.Tenant, error) {
	vault, err := vaultOf(b.cfg, conn)
	if err != nil {
		return nil, err
	}
	drifts, err := drift.NewCounter(b.tel.MeterProvider)
	if err != nil {
		return nil, err
	}
	language, err := mapping.NewLanguage()
	if err != nil {
		return nil, err
	}
	var out []dispatch.Tenant
	for _, t := range b.cfg.Tenants {
		m, rows, err := b.mapping(ctx, conn, t, language)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		x := dispatch.Tenant{
			Name: t.Name, Account: t.Kingdee.AccountID, Mapping: m.Mapping, Refused: refusedBy(m), Fresh: rows.Fresh, Ledger: b.ledger(t), Guard: &dispatch.Guard{},
			Quick: dispatch.Quick{Tries: t.Retries.QuickTries, Initial: t.Retries.QuickFirst, Max: t.Retries.QuickMax},
		}
		if x.WeibanLine, err = b.line("weiban", t.Name, x.Guard, t.Weiban.InFlight, connectors.Rate{PerMinute: t.Weiban.PerMinute}); err != nil {
			return nil, err
		}
		if x.KingdeeLine, err = b.line("kingdee", t.Name, x.Guard, t.Kingdee.InFlight, connectors.Rate{Pool: kingdee.Pool, PerMinute: t.Kingdee.PerMinute}); err != nil {
			return nil, err
		}
		x.Weiban = b.weiban(t, vault, x.WeibanLine, drifts)
		x.Kingdee = b.kingdee(t, vault, x.KingdeeLine, drifts)
		x.Photos = b.photos(t, x.Kingdee)
		out = append(out, x)
	}
	return out, nil
}

// concurrency is the setting, but never so much that the orders in hand wait for
// the pace until their calls' deadlines have passed.
func (b *base) concurrency() int {
	c := b.cfg.Dispatcher
	n := c.Concurrency
	for _, t := range b.cfg.Tenants {
		n = min(n, max(1, int(c.Calls.Timeout.Minutes()*float64(t.Kingdee.PerMinute)/3)))
	}
	if n < c.Concurrency {
		b.log.Warn("fewer orders side by side than dispatcher.concurrency: more would wait for the pace longer than dispatcher.calls.timeout",
			slog.Int("set", c.Concurrency), slog.Int("used", n))
	}
	return n
}

// ledger is what the state machine is told of a tenant.
func (b *base) ledger(t config.Tenant) ledger.Settings {
	c, r := b.cfg.Dispatcher, t.Retries
	s := ledger.Defaults(t.Name)
	s.Waits, s.GiveUp, s.Jitter = r.Waits, r.GiveUp, float64(r.JitterPercent)/100
	s.MissingTries, s.MissingYoung, s.InternalTries = r.MissingTries, r.MissingYoung, r.InternalTries
	s.Probe, s.BayWait = min(s.Probe, 2*c.Breaker.OpenFor), min(s.BayWait, c.Calls.MaxWait)
	s.CallTimeout, s.Looks, s.Doubles = b.callBound(t), c.Doubt.Looks, c.Sweeps.Doubles
	s.HoldAfterLetter, s.CheckStatus, s.Marker, s.DryRun = t.HoldAfterLetter, t.Kingdee.CheckStatus, t.Kingdee.Marker, t.DryRun
	return s
}

func (b *base) line(vendor, tenant string, g *dispatch.Guard, inFlight int, rate connectors.Rate) (*connectors.Line, error) {
	c := b.cfg.Dispatcher
	l, err := connectors.NewLine(connectors.LineOptions{
		Vendor: vendor, Tenant: tenant, InFlight: inFlight, Rate: func(string) connectors.Rate { return rate },
		Timeout: c.Calls.Timeout, ReadTimeout: c.Calls.ReadTimeout, MaxBody: int64(c.Calls.MaxAnswer), MaxWait: c.Calls.MaxWait,
		Breaker: connectors.BreakerSettings{Failures: c.Breaker.Failures, OpenFor: c.Breaker.OpenFor}, Before: g.Check,
		Tracer: b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	})
	if err != nil {
		return nil, err
	}
	b.undo.add("connections to "+vendor, func(context.Context) error { l.Close(); return nil })
	return l, nil
}

func (b *base) weiban(t config.Tenant, vault connectors.Vault, l *connectors.Line, d *drift.Counter) *weiban.Client {
	w := t.Weiban
	return weiban.New(weiban.Options{
		BaseURL: w.BaseURL, CorpID: w.CorpID, Secret: w.Secret.Reveal(), Vault: vault, Line: l, Drift: d, Known: b.known("weiban", t),
	})
}

// known teaches the redactor what a vendor gives out.
func (b *base) known(vendor string, t config.Tenant) func(name, secret string) {
	return func(name, secret string) { b.tel.Redactor.Rotate(vendor+" "+t.Name+" "+name, secret) }
}

func (b *base) kingdee(t config.Tenant, vault connectors.Vault, l *connectors.Line, d *drift.Counter) *kingdee.Client {
	k := t.Kingdee
	o := kingdee.Options{
		BaseURL: k.BaseURL, AccountID: k.AccountID, UserID: k.UserID, Vault: vault, Paged: k.SendPaging,
		UploadPart: k.Photos.Part, UploadWithin: b.cfg.Dispatcher.Calls.Timeout, Drift: d, Known: b.known("kingdee", t),
		AuthorityKey: k.AuthorityKey, AuthorityIV: k.AuthorityIV, Line: l,
	}
	if k.Static != nil {
		o.Static = &kingdee.Static{AccessToken: k.Static.AccessToken.Reveal(), GroupName: k.Static.GroupName, Domain: k.Static.Domain}
	}
	if k.App != nil {
		o.ClientID, o.ClientSecret, o.OuterInstanceID = k.App.ClientID, k.App.ClientSecret.Reveal(), k.App.OuterInstanceID
	}
	return kingdee.New(o)
}

// admin opens the second listener: health, readiness, metrics.
func (b *base) admin(ctx context.Context, addr string, failed chan<- error, checks ...telemetry.Check) (*listener, error) {
	mux := b.tel.Admin(checks...)
	if b.cfg.Telemetry.PProf {
		mux.Handle("/debug/pprof/", telemetry.PProf())
	}
	l, err := listen(ctx, "admin", addr, adminServer(mux), b.log)
	if err != nil {
		return nil, err
	}
	b.undo.add("admin", l.stop)
	go forward(ctx, l.err, failed)
	return l, nil
}

// dispatcherCLI is the command line of dispatcher.
type dispatcherCLI struct {
	globals
	Run     dispatcherRunCmd `cmd:"" default:"1" help:"Enrich and handle events until stopped (the default)."`
	Dead    deadCmd          `cmd:"" help:"Dead letters: what could not be done and waits for a person."`
	Order   orderCmd         `cmd:"" help:"What is known of one order."`
	Balance balanceCmd       `cmd:"" help:"Count the callbacks and how each ended; exit status 1 if one is unexplained."`
	Owners  ownersCmd        `cmd:"" help:"Show which replica owns which tenant; exit status 1 if nobody owns one."`
	Recover recoverCmd       `cmd:"" help:"Show what of the store does not fit, and have it looked at again; exit status 1 if something does not fit."`
	Pause   pauseCmd         `cmd:"" help:"Pause a stage of a tenant, until it is resumed."`
	Resume  resumeCmd        `cmd:"" help:"Let a paused stage go on."`
	Mapping mappingCmd       `cmd:"" help:"Check, test, try and complete the tenants' mappings."`
	Drift   driftCmd         `cmd:"" help:"Show where Weiban's callbacks and details are not as the bridge knows them."`
	Conf    configCmd        `cmd:"" name:"config" help:"Check or print the configuration."`
	Version versionCmd       `cmd:"" help:"Print the version."`
}

type dispatcherRunCmd struct{}

func (dispatcherRunCmd) Run(ctx context.Context, p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	if err := checkMappings(cfg); err != nil { // all faults, also while there is no bus
		return err
	}
	return Run{Config: cfg, Env: p.Env, Log: p.Stderr, Alone: true}.Dispatcher(ctx)
}

const dispatcherHelp = `Enriches Weiban's events through its detail APIs and drives Kingdee's handle-order. What cannot be done waits as a ` +
	`dead letter; see dispatcher dead --help.`

// DispatcherMain is the program dispatcher.
func DispatcherMain(ctx context.Context, p Program) error {
	var cli dispatcherCLI
	return p.run(ctx, "dispatcher", dispatcherHelp, &cli, &cli.globals)
}
