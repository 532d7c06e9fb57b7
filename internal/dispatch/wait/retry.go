package wait

import (
	"context"
	"time"

	"gongdan-bridge/internal/sleep"
)

// Until waits until a moment; it is false if ctx ended first.
func Until(ctx context.Context, at time.Time) bool { return sleep.For(ctx, time.Until(at)) }

// Retry calls try until it succeeds; it is false if ctx ended first. Between two tries it
// waits for first, then twice as long each time, and never longer than longest.
func Retry(ctx context.Context, first, longest time.Duration, try func() bool) bool {
	for pause := first; !try(); pause = min(2*pause, longest) {
		if !sleep.For(ctx, pause) {
			return false
		}
	}
	return true
}
