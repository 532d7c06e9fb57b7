package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
)

const (
	// recordBytes is what a settled callback leaves in STATE: measured at 3.5 KB for
	// the record of an order with three applied events. The sizing rule of docs/operations.md has it.
	recordBytes = 1200
	day         = 24 * time.Hour
)

// pace warns, at the start and once a day, of a bucket STATE that is too small for the
// callbacks that come: otherwise it would be full only months later.
func (t *Trimmer) pace(ctx context.Context, now time.Time, callbacks, state bus.Usage) error {
	if now.Before(t.paced) || callbacks.Messages == 0 {
		return nil
	}
	t.paced = now.Add(day)
	first, err := t.o.Bus.Next(ctx, bus.Callbacks, ">", callbacks.First)
	if err != nil {
		return err
	}
	if why := tooSmall(callbacks.Messages, now.Sub(first.Time), t.o.KeepSettled, state.MaxBytes); why != "" {
		t.o.Logger.Warn(why, slog.String("bucket", bus.State))
	}
	return nil
}

// tooSmall says why STATE of that size cannot keep the records of so many callbacks,
// which came within a span, for as long as settled records live; "" if it can, or
// if the span is too short to tell.
func tooSmall(callbacks uint64, span, keep time.Duration, size int64) string {
	if span < day || size <= 0 {
		return ""
	}
	daily := float64(callbacks) / (float64(span) / float64(day))
	need := daily * (float64(keep) / float64(day)) * recordBytes
	if need <= alarmFrom*float64(size) {
		return ""
	}
	const mib = 1 << 20
	return fmt.Sprintf("STATE is too small: %.0f callbacks a day for dispatcher.keep_settled need about %.0f MiB, and it has %.0f: "+
		"raise nats.buckets.state, or lower dispatcher.keep_settled", daily, need/alarmFrom/mib, float64(size)/mib)
}
