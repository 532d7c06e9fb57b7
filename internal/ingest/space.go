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

// Space watches stream CALLBACKS, whether it is there and how full it is, so that the
// endpoint need not ask for each callback.
type Space struct {
	usage func(ctx context.Context, stream string) (bus.Usage, error)
	log   *slog.Logger
	alert alerts
	share atomic.Uint64         // thousandths of the limit that are taken
	fault atomic.Pointer[error] // why the last check failed, nil if it did not or there was none
}

// NewSpace returns a space that was not checked yet: it refuses nothing.
func NewSpace(usage func(ctx context.Context, stream string) (bus.Usage, error), log *slog.Logger, m metric.MeterProvider) (*Space, error) {
	alert, err := newAlerts(log, m)
	return &Space{usage: usage, log: log, alert: alert}, err
}

// Refuse is for [Options].Refuse: why nothing can be accepted now.
func (s *Space) Refuse() error {
	if share := s.share.Load(); share >= 1000*refuseFrom {
		return fmt.Errorf("%w: stream %s is %d %% full", bus.ErrFull, bus.Callbacks, share/10)
	}
	return nil
}

// Ready is nil while callbacks can be stored, by the last check.
func (s *Space) Ready(context.Context) error {
	if fault := s.fault.Load(); fault != nil {
		return *fault
	}
	return s.Refuse()
}

// Watch checks at once and then at every beat, until ctx ends. A check that fails
// refuses nothing: what cannot be stored is refused by the store itself.
func (s *Space) Watch(ctx context.Context, beat time.Duration) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		s.check(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (s *Space) check(ctx context.Context) {
	u, err := s.usage(ctx, bus.Callbacks)
	if err != nil {
		s.failed(ctx, err)
		return
	}
	if before := s.fault.Swap(nil); before != nil && errors.Is(*before, bus.ErrUnprovisioned) {
		s.log.InfoContext(ctx, "the stream is there again", slog.String("stream", bus.Callbacks))
	}
	share := uint64(1000 * u.Share())
	before := s.share.Swap(share)
	stream, percent := slog.String("stream", bus.Callbacks), slog.Uint64("percent", share/10)
	for _, edge := range []struct {
		at         uint64
		over, gone string
	}{
		{1000 * alarmFrom, "the stream is filling up", "the stream has space again"},
		{1000 * refuseFrom, "the stream is full: callbacks are refused", "callbacks are accepted again"},
	} {
		switch {
		case before < edge.at && share >= edge.at:
			s.alert.raise(ctx, alarmSpace, edge.over, stream, percent)
		case before >= edge.at && share < edge.at:
			s.log.InfoContext(ctx, edge.gone, stream, percent)
		}
	}
}

// failed notes a check that failed, and says once that the stream is not there.
func (s *Space) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	before := s.fault.Swap(&err)
	if !errors.Is(err, bus.ErrUnprovisioned) {
		s.log.DebugContext(ctx, "the usage of the stream cannot be read", slog.String("cause", err.Error()))
		return
	}
	if before == nil || !errors.Is(*before, bus.ErrUnprovisioned) {
		s.alert.raise(ctx, alarmStore, "it is not there any more: somebody deleted it, or its files are gone; callbacks are refused", slog.String("stream", bus.Callbacks))
	}
}
