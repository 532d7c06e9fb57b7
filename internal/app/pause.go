package app

import (
	"context"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/operate"
)

// stageArgs are what pause and resume are told.
type stageArgs struct {
	Tenant string `arg:"" help:"The tenant."`
	Stage  string `arg:"" help:"enrich or handle." enum:"enrich,handle"`
	Who    string `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

type pauseCmd struct {
	stageArgs
	Reason string `required:"" help:"Why; kept in the audit, and shown while the pause lasts."`
}

func (c pauseCmd) Run(ctx context.Context, p Program, g *globals) error {
	return c.hold(ctx, p, g, true, c.Reason)
}

type resumeCmd struct {
	stageArgs
	Reason string `help:"Why; kept in the audit."`
}

func (c resumeCmd) Run(ctx context.Context, p Program, g *globals) error {
	return c.hold(ctx, p, g, false, c.Reason)
}

func (c stageArgs) hold(ctx context.Context, p Program, g *globals, on bool, reason string) error {
	act := deadletter.Act{Who: c.Who, Reason: reason}
	if act.Who == "" {
		act.Who = whoami()
	}
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		if _, err := tenantsOf(cfg, c.Tenant); err != nil {
			return err
		}
		box := deadletter.NewBox(b, time.Now)
		if err := operate.HoldStage(ctx, b, box, c.Tenant, events.Stage(c.Stage), on, act); err != nil {
			return err
		}
		did := "resumed"
		if on {
			did = "paused"
		}
		_, err := fmt.Fprintf(p.Stdout, "%s: stage %s is %s\n", c.Tenant, c.Stage, did)
		return err
	})
}
