package cli

import (
	"context"
	"fmt"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
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
	was, err := s.Pause(ctx, c.request(c.Reason))
	if was != nil {
		return s.print(err, "%s: stage %s was paused already, %s; that pause stays\n", c.Tenant, c.Stage, pauseText(*was))
	}
	return s.print(err, "%s: stage %s is paused\n", c.Tenant, c.Stage)
}

type resumeCmd struct {
	stageArgs
	Reason string `help:"Why; kept in the audit."`
}

func (c resumeCmd) Run(ctx context.Context, s *session) error {
	was, err := s.Resume(ctx, c.request(c.Reason))
	if was == nil {
		return s.print(err, "%s: stage %s was not paused\n", c.Tenant, c.Stage)
	}
	return s.print(err, "%s: stage %s is resumed\n", c.Tenant, c.Stage)
}

func (c stageArgs) request(reason string) operate.StageRequest {
	return operate.StageRequest{Decision: c.decides(reason), Tenant: c.Tenant, Stage: events.Stage(c.Stage)}
}

// pauseText says by whom a stage is paused, since when, and why.
func pauseText(p inspect.Pause) string {
	text := fmt.Sprintf("by %s at %s", p.Who, when(p.At))
	if p.Why != "" {
		text += ": " + p.Why
	}
	return text
}

// pausesText is a line for each paused stage of a tenant.
func pausesText(tenant string, list []inspect.Pause) string {
	all := ""
	for _, p := range list {
		all += fmt.Sprintf("%s: stage %s is paused %s\n", tenant, p.Stage, pauseText(p))
	}
	return all
}
