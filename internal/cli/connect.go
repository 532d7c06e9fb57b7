package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/app/vendors"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/operate"
)

// load reads the configuration for a command.
func load(p Program, g *globals) (*config.Config, error) { return config.Load(g.Config, p.Env) }

// withActs gives a subcommand what a person may do, over a connection of its own.
func withActs(ctx context.Context, p Program, g *globals, use func(*operate.Acts) error) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	conn, err := app.Connect(ctx, cfg, "gongdan-bridge command")
	if err != nil {
		return fmt.Errorf("%w; is the bridge running?", err)
	}
	o := operate.Options{
		Bus: conn, Silence: cfg.Dispatcher.Ownership.Expire, Logger: warnings(p.Stderr),
		Staff: func(ctx context.Context, tenant string) ([]mapping.Staff, error) {
			i := slices.IndexFunc(cfg.Tenants, func(t config.Tenant) bool { return t.Name == tenant })
			return vendors.Staff(ctx, cfg, conn, cfg.Tenants[i])
		},
	}
	for _, t := range cfg.Tenants {
		o.Tenants = append(o.Tenants, operate.Tenant{Name: t.Name, Mapping: t.Mapping, Marker: t.Kingdee.Marker})
	}
	err = use(operate.New(o))
	shut, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	return errors.Join(err, conn.Close(shut))
}

// warnings is a logger for a command: warnings alone, as text.
func warnings(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// decider is the flag of every act that the audit keeps.
type decider struct {
	Who string `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

func (d decider) decides(reason string) operate.Decision {
	return operate.Decision{Who: cmp.Or(d.Who, whoami()), Reason: reason}
}

// eachTenant calls do for the tenants that are asked for. since is a span or a time.
func eachTenant(ctx context.Context, p Program, g *globals, since, only string, do func(a *operate.Acts, tenant string, since time.Time) error) error {
	from, err := moment("--since", since, time.Now())
	if err != nil {
		return err
	}
	return withActs(ctx, p, g, func(a *operate.Acts) error {
		tenants, err := a.Tenants(only)
		for _, t := range tenants {
			if err == nil {
				err = do(a, t, from)
			}
		}
		return err
	})
}
