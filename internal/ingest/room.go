package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"gongdan-bridge/internal/bus"
)

// Shares of CALLBACKS' size limit. Between the two there is time to act; above
// the second Weiban is told to come again, while what is stored can still be
// worked on and replayed.
const (
	alarmFrom  = 0.80
	refuseFrom = 0.90
)

// Room watches stream CALLBACKS, whether it is there and how full it is, so that the
// endpoint need not ask for each callback.
type Room struct {
	usage func(ctx context.Context, stream string) (bus.Usage, error)
	log   *slog.Logger
	alert alerts
	share atomic.Uint64         // thousandths of the limit that are taken
	fault atomic.Pointer[error] // why the last look failed, nil if it did not or there was none
}

// NewRoom returns a room that has not been looked at: it refuses nothing.
func NewRoom(usage func(ctx context.Context, stream string) (bus.Usage, error), log *slog.Logger, m metric.MeterProvider) (*Room, error) {
	alert, err := newAlerts(log, m)
	return &Room{usage: usage, log: log, alert: alert}, err
}

// Refuse is for [Options].Refuse: why nothing can be accepted now.
func (r *Room) Refuse() error {
	if share := r.share.Load(); share >= 1000*refuseFrom {
		return fmt.Errorf("%w: stream %s is %d %% full", bus.ErrFull, bus.Callbacks, share/10)
	}
	return nil
}

// Ready is nil while callbacks can be stored, by the last look.
func (r *Room) Ready(context.Context) error {
	if fault := r.fault.Load(); fault != nil {
		return *fault
	}
	return r.Refuse()
}

// Watch looks at once and then at every beat, until ctx ends. A look that fails
// refuses nothing: what cannot be stored is refused by the store itself.
func (r *Room) Watch(ctx context.Context, beat time.Duration) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		r.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (r *Room) look(ctx context.Context) {
	u, err := r.usage(ctx, bus.Callbacks)
	if err != nil {
		r.failed(ctx, err)
		return
	}
	if before := r.fault.Swap(nil); before != nil && errors.Is(*before, bus.ErrUnprovisioned) {
		r.log.InfoContext(ctx, "the stream is there again", slog.String("stream", bus.Callbacks))
	}
	share := uint64(1000 * u.Share())
	before := r.share.Swap(share)
	stream, percent := slog.String("stream", bus.Callbacks), slog.Uint64("percent", share/10)
	for _, edge := range []struct {
		at         uint64
		over, gone string
	}{
		{1000 * alarmFrom, "the stream is filling up", "the stream has room again"},
		{1000 * refuseFrom, "the stream is full: callbacks are refused", "callbacks are accepted again"},
	} {
		switch {
		case before < edge.at && share >= edge.at:
			r.alert.raise(ctx, alarmRoom, edge.over, stream, percent)
		case before >= edge.at && share < edge.at:
			r.log.InfoContext(ctx, edge.gone, stream, percent)
		}
	}
}

// failed notes a look that failed, and says once that the stream is not there.
func (r *Room) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	before := r.fault.Swap(&err)
	if !errors.Is(err, bus.ErrUnprovisioned) {
		r.log.DebugContext(ctx, "room not looked at", slog.String("cause", err.Error()))
		return
	}
	if before == nil || !errors.Is(*before, bus.ErrUnprovisioned) {
		r.alert.raise(ctx, alarmStore, "it is not there any more: somebody deleted it, or its files are gone; callbacks are refused", slog.String("stream", bus.Callbacks))
	}
}
