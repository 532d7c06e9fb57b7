package cli

import (
	"cmp"
	"context"
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

// session is what a subcommand works with that acts on the bridge: the acts over a
// connection of its own. kong opens it for the subcommands whose Run asks for it.
type session struct {
	*operate.Acts
	out    io.Writer // standard output
	stderr io.Writer
	bar    *bar // on stderr; whatever is written to out or stderr ends it
	config string

	disconnect func(context.Context) error
}

func (s *session) open(ctx context.Context, p Program, g *globals) (*session, error) {
	cfg, err := load(p, g)
	if err != nil {
		return nil, err
	}
	conn, err := app.Connect(ctx, cfg, "gongdan-bridge command")
	if err != nil {
		return nil, fmt.Errorf("%w; is the bridge running?", err)
	}
	s.bar, s.config, s.disconnect = newBar(p.Stderr), g.Config, conn.Close
	s.out, s.stderr = s.bar.over(p.Stdout), s.bar.over(p.Stderr)
	o := operate.Options{
		Bus: conn, Silence: cfg.Dispatcher.Ownership.Expire,
		Logger: slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Staff: func(ctx context.Context, tenant string) ([]mapping.Staff, error) {
			i := slices.IndexFunc(cfg.Tenants, func(t config.Tenant) bool { return t.Name == tenant })
			return vendors.Staff(ctx, cfg, conn, cfg.Tenants[i])
		},
	}
	for _, t := range cfg.Tenants {
		o.Tenants = append(o.Tenants, operate.Tenant{Name: t.Name, Mapping: t.Mapping, Marker: t.Kingdee.Marker})
	}
	s.Acts = operate.New(o)
	return s, nil
}

// close ends a session that was opened.
func (s *session) close(ctx context.Context) error {
	if s.Acts == nil {
		return nil
	}
	s.bar.end()
	shut, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	return s.disconnect(shut)
}

// print writes a line or more to standard output, unless err is set.
func (s *session) print(err error, format string, args ...any) error {
	if err == nil {
		_, err = fmt.Fprintf(s.out, format, args...)
	}
	return err
}

// tenantsSince are the flags of a subcommand that reads what is recorded of tenants.
type tenantsSince struct {
	Since  string `default:"24h" placeholder:"SPAN|TIME" help:"What was recorded since then: a span such as 24h, or a time such as 2026-11-22T08:00:00+08:00 (${default})."`
	Tenant string `help:"Only this tenant."`
}

// Validate refuses what is no time before anything is read.
func (c tenantsSince) Validate() error {
	_, err := moment("--since", c.Since, time.Now())
	return err
}

// each calls do for the tenants that are asked for.
func (c tenantsSince) each(s *session, do func(tenant string, since time.Time) error) error {
	from, err := moment("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	tenants, err := s.Tenants(c.Tenant)
	for _, t := range tenants {
		if err == nil {
			err = do(t, from)
		}
	}
	return err
}

// decider is the flag of every act that the audit keeps.
type decider struct {
	Who string `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

func (d decider) decides(reason string) operate.Decision {
	return operate.Decision{Who: cmp.Or(d.Who, whoami()), Reason: reason}
}
