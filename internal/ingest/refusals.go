package ingest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// fullLines is how many refusals of one result leave a line each before they are only
// counted.
const fullLines = 10

// refusals samples the log lines of what did not verify, which strangers can send
// without end. The first of each result are logged in full; further ones are counted,
// and one line a beat gives the counts. A result has full lines again after a beat in
// which none of it went without.
type refusals struct {
	log *slog.Logger

	mu      sync.Mutex
	shown   map[string]int
	counted map[string]int64
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, shown: make(map[string]int), counted: make(map[string]int64)}
}

// take reports whether this refusal is to be logged in full; if not, it was counted.
func (r *refusals) take(result string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shown[result] < fullLines {
		r.shown[result]++
		return true
	}
	r.counted[result]++
	return false
}

// flush logs what was counted since the last flush, in one line.
func (r *refusals) flush(ctx context.Context, beat time.Duration) {
	r.mu.Lock()
	counted := r.counted
	r.counted = make(map[string]int64, len(counted))
	for result := range r.shown {
		if counted[result] == 0 {
			delete(r.shown, result)
		}
	}
	r.mu.Unlock()
	if len(counted) == 0 {
		return
	}
	var total int64
	results := make([]any, 0, len(counted))
	for _, result := range slices.Sorted(maps.Keys(counted)) {
		total += counted[result]
		results = append(results, slog.Int64(result, counted[result]))
	}
	r.log.LogAttrs(ctx, slog.LevelWarn, "further callbacks were refused", slog.Int64("refused", total),
		slog.String("within", beat.String()), slog.Group("results", results...))
}

// Watch logs, at every beat and when ctx ends, how many refusals had no line of their
// own.
func (e *Endpoint) Watch(ctx context.Context, beat time.Duration) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			e.refusals.flush(context.WithoutCancel(ctx), beat)
			return
		case <-t.C:
			e.refusals.flush(ctx, beat)
		}
	}
}
