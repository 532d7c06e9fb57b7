package dispatch

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"gongdan-bridge/internal/events"
)

// meters count attempts by tenant, stage, noun, outcome and kind; never by
// order.
type meters struct {
	attempts metric.Int64Counter
	seconds  metric.Float64Histogram
}

func newMeters(p metric.MeterProvider) (meters, error) {
	m := p.Meter("gongdan-bridge/internal/dispatch")
	c, err := m.Int64Counter("gongdan.dispatch.attempts", metric.WithUnit("{attempt}"),
		metric.WithDescription("Messages that a stage ended, by outcome and kind of failure."))
	h, err2 := m.Float64Histogram("gongdan.dispatch.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of one message in a stage, waits included."),
		metric.WithExplicitBucketBoundaries(.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60))
	return meters{attempts: c, seconds: h}, errors.Join(err, err2)
}

func (m meters) attempt(ctx context.Context, tenant string, s events.Stage, n events.Noun, v verdict, took time.Duration) {
	kind := ""
	if v.failure != nil {
		kind = string(v.failure.Kind)
	}
	where := []attribute.KeyValue{
		attribute.String("tenant", tenant), attribute.String("stage", string(s)), attribute.String("noun", string(n)),
	}
	m.seconds.Record(ctx, took.Seconds(), metric.WithAttributes(where...))
	m.attempts.Add(ctx, 1, metric.WithAttributes(append(where,
		attribute.String("outcome", v.outcome), attribute.String("kind", kind))...))
}
