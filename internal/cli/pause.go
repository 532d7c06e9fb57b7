package cli

import (
	"context"
	"fmt"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/operate"
)

// stageArgs are what pause and resume are told.
type stageArgs struct {
	Tenant string `arg:"" help:"The tenant."`
	Stage  string `arg:"" help:"enrich or handle." enum:"enrich,handle"`
	decider
}

type pauseCmd struct {
	stageArgs
	Reason string `required:"" help:"Why; kept in the audit, and shown while the pause lasts."`
}

func (c pauseCmd) Run(ctx context.Context, p Program, g *globals) error {
	return c.do(ctx, p, g, "paused", c.Reason, (*operate.Acts).Pause)
}

type resumeCmd struct {
	stageArgs
	Reason string `help:"Why; kept in the audit."`
}

func (c resumeCmd) Run(ctx context.Context, p Program, g *globals) error {
	return c.do(ctx, p, g, "resumed", c.Reason, (*operate.Acts).Resume)
}

func (c stageArgs) do(ctx context.Context, p Program, g *globals, did, reason string, act func(*operate.Acts, context.Context, operate.StageRequest) error) error {
	return withActs(ctx, p, g, func(a *operate.Acts) error {
		err := act(a, ctx, operate.StageRequest{Decision: c.decides(reason), Tenant: c.Tenant, Stage: events.Stage(c.Stage)})
		if err == nil {
			_, err = fmt.Fprintf(p.Stdout, "%s: stage %s is %s\n", c.Tenant, c.Stage, did)
		}
		return err
	})
}
