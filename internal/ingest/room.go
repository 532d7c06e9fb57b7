package ingest

import (
	"context"
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

// Room watches how full stream CALLBACKS is, so that the endpoint need not ask
// for each callback.
type Room struct {
	usage func(ctx context.Context, stream string) (bus.Usage, error)
	log   *slog.Logger
	alert alerts
	share atomic.Uint64 // thousandths of the limit that are taken
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

// Watch looks at once and then at every beat, until ctx ends. A look that fails
// changes nothing: what cannot be stored is refused by the store itself.
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
		r.log.DebugContext(ctx, "room not looked at", slog.String("cause", err.Error()))
		return
	}
	share := uint64(0)
	if u.MaxBytes > 0 {
		share = 1000 * u.Bytes / uint64(u.MaxBytes)
	}
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
