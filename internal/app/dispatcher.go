package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/mapping"
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
	conn, err := b.connect(ctx, cfg.Name())
	if err != nil {
		return err
	}
	codec, err := eventCodec()
	if err != nil {
		return err
	}
	tenants, err := b.tenants(conn)
	if err != nil {
		return err
	}
	d, err := dispatch.New(dispatch.Options{
		Bus: conn, Events: codec, Letters: deadletter.NewBox(conn, time.Now), Tenants: tenants,
		Concurrency: cfg.Concurrency, MaxHeld: cfg.MaxHeld, AckWait: cfg.AckWait,
		Quick:  dispatch.Quick{Tries: cfg.Retries.QuickTries, Initial: cfg.Retries.QuickFirst, Max: cfg.Retries.QuickMax},
		Logger: b.log, Tracer: b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	admin, err := b.admin(ctx, cfg.Admin, conn, failed)
	if err != nil {
		return err
	}
	if r.Ready != nil {
		r.Ready(Addresses{Admin: admin.addr})
	}
	return work(ctx, d, failed, cfg.StopWithin)
}

// work runs the stages until ctx ends or something fails; the calls in hand
// then have the bound to finish.
func work(ctx context.Context, d *dispatch.Dispatcher, failed <-chan error, bound time.Duration) error {
	soft, stop := context.WithCancel(ctx)
	defer stop()
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(soft, func() { time.AfterFunc(bound, cut) })()
	done := make(chan error, 1)
	go func() { done <- d.Run(soft, hard) }()
	select {
	case err := <-done:
		return err
	case err := <-failed:
		stop()
		return errors.Join(err, <-done)
	}
}

// tenants builds each tenant's mapping, lines and clients.
func (b *base) tenants(conn *bus.Bus) ([]dispatch.Tenant, error) {
	vault := connectors.MemoryVault()
	if k := b.cfg.Dispatcher.Key(); k != nil {
		sealed, err := connectors.Sealed(bucketVault{conn.Bucket("TOKENS")}, k)
		if err != nil {
			return nil, fmt.Errorf("dispatcher.token_key: %w", err)
		}
		vault = sealed
	}
	var out []dispatch.Tenant
	for _, t := range b.cfg.Tenants {
		m, err := mapping.Load(t.Mapping, mapping.Options{})
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		out = append(out, dispatch.Tenant{
			Name: t.Name, Account: t.Kingdee.AccountID, DryRun: t.DryRun, Marker: t.Kingdee.Marker, Mapping: m,
			Weiban: b.weiban(t, vault), Kingdee: b.kingdee(t, vault),
		})
	}
	return out, nil
}

func (b *base) line(vendor string, t config.Tenant, inFlight int, rate func(string) connectors.Rate) *connectors.Line {
	c := b.cfg.Dispatcher
	l := connectors.NewLine(connectors.LineOptions{
		Vendor: vendor, Tenant: t.Name, InFlight: inFlight, Rate: rate, Timeout: c.Calls.Timeout,
		MaxBody: int64(c.Calls.MaxAnswer), MaxWait: c.Calls.MaxWait,
		Breaker: connectors.BreakerSettings{Failures: c.Breaker.Failures, OpenFor: c.Breaker.OpenFor},
		Tracer:  b.tel.TracerProvider, Meter: b.tel.MeterProvider,
	})
	b.undo.add("connections to "+vendor, func(context.Context) error { l.Close(); return nil })
	return l
}

func (b *base) weiban(t config.Tenant, vault connectors.Vault) *weiban.Client {
	w := t.Weiban
	return weiban.New(weiban.Options{
		BaseURL: w.BaseURL, CorpID: w.CorpID, Secret: w.Secret.Reveal(), Vault: vault,
		Line: b.line("weiban", t, w.InFlight, func(string) connectors.Rate { return connectors.Rate{PerMinute: w.PerMinute} }),
	})
}

func (b *base) kingdee(t config.Tenant, vault connectors.Vault) *kingdee.Client {
	k := t.Kingdee
	rate := kingdee.DefaultRate("")
	rate.PerMinute = k.PerMinute
	o := kingdee.Options{
		BaseURL: k.BaseURL, AccountID: k.AccountID, UserID: k.UserID, Vault: vault, Paged: k.SendPaging,
		AuthorityKey: k.AuthorityKey, AuthorityIV: k.AuthorityIV,
		Line: b.line("kingdee", t, k.InFlight, func(string) connectors.Rate { return rate }),
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
func (b *base) admin(ctx context.Context, addr string, conn *bus.Bus, failed chan<- error) (*listener, error) {
	mux := b.tel.Admin(telemetry.Check{Name: "nats", Ready: conn.Ready})
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

// checkMappings compiles every tenant's mapping and reports all faults.
func checkMappings(cfg *config.Config) error {
	var all error
	for _, t := range cfg.Tenants {
		if _, err := mapping.Load(t.Mapping, mapping.Options{}); err != nil {
			all = errors.Join(all, err)
		}
	}
	return all
}

// dispatcherCLI is the command line of dispatcher.
type dispatcherCLI struct {
	globals
	Run     dispatcherRunCmd `cmd:"" default:"1" help:"Enrich and handle events until stopped (the default)."`
	Dead    deadCmd          `cmd:"" help:"Dead letters: what could not be done and waits for a person."`
	Mapping mappingCmd       `cmd:"" help:"Check the tenants' mappings."`
	Conf    configCmd        `cmd:"" name:"config" help:"Check or print the configuration."`
	Version versionCmd       `cmd:"" help:"Print the version."`
}

type dispatcherRunCmd struct{}

func (dispatcherRunCmd) Run(ctx context.Context, p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	return Run{Config: cfg, Env: p.Env, Log: p.Stderr}.Dispatcher(ctx)
}

type mappingCmd struct {
	Check mappingCheckCmd `cmd:"" help:"Check every tenant's mapping; every fault at once, with file, line and column."`
}

type mappingCheckCmd struct{}

func (mappingCheckCmd) Run(p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	if err := checkMappings(cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%d mapping(s), no faults\n", len(cfg.Tenants))
	return err
}

const dispatcherHelp = `Enriches Weiban's events through its detail APIs and drives Kingdee's handle-order. What cannot be done waits as a ` +
	`dead letter; see dispatcher dead --help.`

// DispatcherMain is the program dispatcher.
func DispatcherMain(ctx context.Context, p Program) error {
	var cli dispatcherCLI
	return p.run(ctx, "dispatcher", dispatcherHelp, &cli, &cli.globals)
}
