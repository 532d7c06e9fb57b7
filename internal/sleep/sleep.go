// Package sleep is the one wait that a context can end.
//
// It is for pauses between tries and for pacing. Nothing waits with it for something
// to have happened: for that there are channels.
package sleep

import (
	"context"
	"time"
)

// For waits until d has passed; it is false if ctx ended first, or had ended before.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
