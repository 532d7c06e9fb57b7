package work

import (
	"context"

	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
)

// try makes the quick tries of a call, and tells the API's availability how they ended.
func (w Order) try(ctx context.Context, g *wait.Availability, op func(context.Context) error) *events.Failure {
	ctx, cancel, err := w.Owner.Begin(ctx)
	defer cancel()
	if err == nil {
		_, err = w.Quick.Do(ctx, events.Safely(op))
	}
	return g.Judge(ctx, w.ID.Path(), err, w.ProbeDenied)
}
