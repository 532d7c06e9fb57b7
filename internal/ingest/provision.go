package ingest

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Provisioner makes streams and buckets again that vanish while ingest runs, since
// there may be no dispatcher that does. What they held is gone: that is an alert.
type Provisioner struct {
	mend  func(ctx context.Context) (missing []string, err error)
	log   *slog.Logger
	alert alerts
	last  string // why the check before failed
}

// NewProvisioner returns one; mend makes what is missing and names it.
func NewProvisioner(mend func(ctx context.Context) (missing []string, err error), log *slog.Logger, m metric.MeterProvider) (*Provisioner, error) {
	alert, err := newAlerts(log, m)
	return &Provisioner{mend: mend, log: log, alert: alert}, err
}

// Watch checks at every beat until ctx ends.
func (p *Provisioner) Watch(ctx context.Context, beat time.Duration) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			p.check(ctx)
		}
	}
}

func (p *Provisioner) check(ctx context.Context) {
	missing, err := p.mend(ctx)
	for _, name := range missing {
		p.alert.raise(ctx, alarmStore, "it was not there any more and has been made again, empty; dispatcher recover says what that means", slog.String("stream", name))
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
