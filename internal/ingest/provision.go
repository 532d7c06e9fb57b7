package ingest

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Provisioner makes streams and buckets again that vanish while ingest runs, since
// there may be no dispatcher that does. What they held is gone: that is an alert.
type Provisioner struct {
	mend  func(ctx context.Context) (missing []string, err error)
	log   *slog.Logger
	count metric.Int64Counter
	last  string // why the look before failed
}

// NewProvisioner returns one; mend makes what is missing and names it.
func NewProvisioner(mend func(ctx context.Context) (missing []string, err error), log *slog.Logger, m metric.MeterProvider) (*Provisioner, error) {
	count, err := alerts(m)
	return &Provisioner{mend: mend, log: log, count: count}, err
}

// alerts is the counter of what people must look at.
func alerts(m metric.MeterProvider) (metric.Int64Counter, error) {
	return m.Meter("gongdan-bridge/internal/ingest").Int64Counter("gongdan.ingest.alerts",
		metric.WithDescription("What people must look at, by alarm."), metric.WithUnit("{alert}"))
}

// Watch looks at every beat until ctx ends.
func (p *Provisioner) Watch(ctx context.Context, beat time.Duration) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			p.look(ctx)
		}
	}
}

func (p *Provisioner) look(ctx context.Context) {
	missing, err := p.mend(ctx)
	for _, name := range missing {
		p.count.Add(ctx, 1, metric.WithAttributes(attribute.String("alarm", "store")))
		p.log.ErrorContext(ctx, "alert", slog.String("why", "store"), slog.String("stream", name),
			slog.String("text", "it was not there any more and has been made again, empty; dispatcher recover says what that means"))
	}
	why := ""
	if err != nil && ctx.Err() == nil {
		why = err.Error()
	}
	if why != "" && why != p.last {
		p.log.ErrorContext(ctx, "what is missing cannot be made again", slog.String("cause", why))
	}
	p.last = why
}
