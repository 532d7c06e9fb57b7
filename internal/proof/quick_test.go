package proof

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	metric "go.opentelemetry.io/otel/metric/noop"
	trace "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
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
	"gongdan-bridge/internal/testwing/accounttest"
	"gongdan-bridge/schemas"
)

// scale is the variable that says by how much.
const scale = "GONGDAN_PROOF_SCALE"

// dispatcherRole is a dispatcher whose minute is scaled: pace and burst keep the
// proportion that the programs give them, which the configuration alone cannot
// say, since it allows no pace above the vendors'.
func dispatcherRole(ctx context.Context) error {
	factor, err := strconv.Atoi(os.Getenv(scale))
	if err != nil {
		return err
	}
	cfg, err := config.Load(os.Args[len(os.Args)-1], os.LookupEnv) // -c bridge.yaml
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	b, err := bus.Connect(ctx, bus.Options{
		URL: fmt.Sprintf("nats://127.0.0.1:%d", cfg.NATS.Embedded.Port), Name: "scaled", TokenFile: cfg.NATS.Embedded.TokenFile,
		Logger: log, TracerProvider: trace.NewTracerProvider(),
	})
	if err != nil {
		return err
	}
	set, err := schemas.Load()
	if err != nil {
		return err
	}
	t, err := scaledTenant(cfg, factor)
	if err != nil {
		return err
	}
	c := cfg.Dispatcher
	d, err := dispatch.New(dispatch.Options{
		Instance: c.Name(), Bus: b, Events: events.NewCodec(set), Letters: deadletter.NewBox(b, time.Now),
		Tenants:     []dispatch.Tenant{t},
		Ownership:   ownership.Settings{Renew: c.Ownership.Renew, Expire: c.Ownership.Expire, CallTimeout: c.Calls.ReadTimeout, SoftStop: c.StopWithin},
		Concurrency: c.Concurrency, MaxHeld: c.MaxHeld, AckWait: c.AckWait, KeepSettled: c.KeepSettled,
		Beat: 500 * time.Millisecond, ProbeDenied: c.Breaker.ProbeDenied, MaxFuture: cfg.Ingest.MaxFuture,
		Expiry: c.Sweeps.Expiry, Trim: c.Sweeps.Trim, Stalls: c.Sweeps.Stalls, StoreBeat: 2 * time.Second,
		Logger: log, Tracer: trace.NewTracerProvider(), Meter: metric.NewMeterProvider(),
	})
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

func scaledTenant(cfg *config.Config, factor int) (dispatch.Tenant, error) {
	t, c := cfg.Tenants[0], cfg.Dispatcher
	m, err := mapping.Load(t.Mapping, mapping.Options{})
	if err != nil {
		return dispatch.Tenant{}, err
	}
	guard := &dispatch.Guard{}
	account := func(vendor string, inFlight, perMinute int, pool string) (*connectors.Account, error) {
		r := connectors.Rate{Pool: pool, PerMinute: scaledPace(perMinute, factor), Burst: connectors.DefaultBurst(perMinute)}
		return connectors.NewAccount(accounttest.Bounds(connectors.AccountOptions{
			Vendor: vendor, Tenant: t.Name, InFlight: inFlight, Rate: func(string) connectors.Rate { return r }, Before: guard.Check,
			Timeout: c.Calls.Timeout, ReadTimeout: c.Calls.ReadTimeout, Tracer: trace.NewTracerProvider(), Meter: metric.NewMeterProvider(),
		}))
	}
	weibanAccount, err := account("weiban", t.Weiban.InFlight, t.Weiban.PerMinute, "")
	if err != nil {
		return dispatch.Tenant{}, err
	}
	kingdeeAccount, err := account("kingdee", t.Kingdee.InFlight, t.Kingdee.PerMinute, kingdee.Pool)
	if err != nil {
		return dispatch.Tenant{}, err
	}
	vault := connectors.MemoryVault()
	x := dispatch.Tenant{
		Name: t.Name, Account: t.Kingdee.AccountID, Ledger: ledger.Defaults(t.Name), Guard: guard,
		Vendors: work.Vendors{
			Mapping: func() *mapping.Mapping { return m },
			Quick:   wait.Quick{Tries: 3, Initial: 500 * time.Millisecond, Max: 8 * time.Second},
		},
		Accounts: wait.Accounts{Weiban: weibanAccount, Kingdee: kingdeeAccount},
	}
	x.Weiban = weiban.New(weiban.Options{BaseURL: t.Weiban.BaseURL, CorpID: t.Weiban.CorpID, Secret: t.Weiban.Secret.Reveal(), Vault: vault, Account: x.Accounts.Weiban})
	x.Kingdee = kingdee.New(kingdee.Options{
		BaseURL: t.Kingdee.BaseURL, AccountID: t.Kingdee.AccountID, Vault: vault, Account: x.Accounts.Kingdee,
		ClientID: t.Kingdee.App.ClientID, ClientSecret: t.Kingdee.App.ClientSecret.Reveal(), OuterInstanceID: t.Kingdee.App.OuterInstanceID,
		AuthorityKey: t.Kingdee.AuthorityKey, AuthorityIV: t.Kingdee.AuthorityIV,
	})
	return x, nil
}

// scaledPace is what PerMinute must be for the account to make factor times the
// calls that it makes at perMinute with its ordinary burst.
func scaledPace(perMinute, factor int) int {
	burst := connectors.DefaultBurst(perMinute)
	return (perMinute-burst+1)*factor + burst - 1
}
