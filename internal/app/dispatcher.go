package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/app/vendors"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/telemetry"
)

// Dispatcher runs both stages of every tenant until ctx ends or a part of it
// fails for good. Calls that have begun are finished within the configured bound.
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
	tenants, err := r.tenants(ctx, b, conn)
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
		MaxFuture: b.cfg.Ingest.MaxFuture, Expiry: cfg.Sweeps.Expiry, Trim: cfg.Sweeps.Trim, Foreign: float64(cfg.Foreign) / 100, Stalls: cfg.Sweeps.Stalls, StoreBeat: storeBeat,
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

// storeBeat is the time between two checks whether the store belongs together.
const storeBeat = 2 * time.Second

// tenants builds each tenant's mapping and clients.
func (r Run) tenants(ctx context.Context, b *base, conn *bus.Bus) ([]dispatch.Tenant, error) {
	builder, err := vendors.NewBuilder(b.cfg, b.tel, conn, r.Pictures)
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
		guard := &dispatch.Guard{}
		c, err := builder.Build(t, guard.Check)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", t.Name, err)
		}
		b.undo.add("connections of "+t.Name, func(context.Context) error { c.Close(); return nil })
		x := dispatch.Tenant{
			Name: t.Name, Account: t.Kingdee.AccountID, Refused: refusedBy(m), Sources: func() ([]byte, error) { return m.Sources().Encode() }, Ledger: b.ledger(t, builder.CallBound(t)),
			Guard: guard, Accounts: dispatch.Accounts{Weiban: c.WeibanAccount, Kingdee: c.KingdeeAccount},
			Vendors: dispatch.Vendors{
				Mapping: m.Mapping, Fresh: rows.Fresh, Weiban: c.Weiban, Kingdee: c.Kingdee,
				Quick: dispatch.Quick{Tries: t.Retries.QuickTries, Initial: t.Retries.QuickFirst, Max: t.Retries.QuickMax},
			},
		}
		if c.Photos != nil {
			x.Photos = c.Photos
		}
		out = append(out, x)
	}
	return out, nil
}

// concurrency is the setting, lowered so that no order waits for the pace until its
// call's deadline has passed.
func (b *base) concurrency() int {
	c := b.cfg.Dispatcher
	n := c.Concurrency
	for _, t := range b.cfg.Tenants {
		n = min(n, max(1, int(c.Calls.Timeout.Minutes()*float64(t.Kingdee.PerMinute)/3)))
	}
	if n < c.Concurrency {
		b.log.Warn("fewer orders are worked on at once than dispatcher.concurrency allows, or calls would time out waiting for the quota",
			slog.Int("set", c.Concurrency), slog.Int("used", n))
	}
	return n
}

// ledger are the settings of a tenant's state machine; call bounds one handle-order.
func (b *base) ledger(t config.Tenant, call time.Duration) ledger.Settings {
	c, r := b.cfg.Dispatcher, t.Retries
	s := ledger.Defaults(t.Name)
	s.Waits, s.GiveUp, s.Jitter = r.Waits, r.GiveUp, float64(r.JitterPercent)/100
	s.MissingTries, s.MissingYoung, s.InternalTries = r.MissingTries, r.MissingYoung, r.InternalTries
	s.Probe, s.LockWait = min(s.Probe, 2*c.Breaker.OpenFor), min(s.LockWait, c.Calls.MaxWait)
	s.CallTimeout, s.Looks, s.Doubles = call, c.Doubt.Looks, c.Sweeps.Doubles
	s.HoldAfterLetter, s.CheckStatus, s.Marker, s.DryRun = t.HoldAfterLetter, t.Kingdee.CheckStatus, t.Kingdee.Marker, t.DryRun
	return s
}

// admin opens the second listener: health, readiness, metrics.
func (b *base) admin(ctx context.Context, addr string, failed chan<- error, checks ...telemetry.Check) (*listener, error) {
	mux := b.tel.Admin(checks...)
	if b.cfg.Telemetry.PProf {
		mux.Handle("/debug/pprof/", telemetry.PProf())
	}
	l, err := listen(ctx, "admin", addr, adminServer(mux), nil, b.log)
	if err != nil {
		return nil, err
	}
	b.undo.add("admin", l.stop)
	go forward(ctx, l.err, failed)
	return l, nil
}
