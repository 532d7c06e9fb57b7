package cli

import (
	"context"

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

func (c pauseCmd) Run(ctx context.Context, s *session) error {
	return s.print(s.Pause(ctx, c.request(c.Reason)), "%s: stage %s is paused\n", c.Tenant, c.Stage)
}

type resumeCmd struct {
	stageArgs
	Reason string `help:"Why; kept in the audit."`
}

func (c resumeCmd) Run(ctx context.Context, s *session) error {
	return s.print(s.Resume(ctx, c.request(c.Reason)), "%s: stage %s is resumed\n", c.Tenant, c.Stage)
}

func (c stageArgs) request(reason string) operate.StageRequest {
	return operate.StageRequest{Decision: c.decides(reason), Tenant: c.Tenant, Stage: events.Stage(c.Stage)}
}
