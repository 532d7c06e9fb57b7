package dispatch

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// meters count by tenant, stage, noun, outcome and kind; never by order.
type meters struct {
	attempts metric.Int64Counter
	seconds  metric.Float64Histogram
	alerts   metric.Int64Counter
	rebuilds metric.Int64Counter
}

func newMeters(p metric.MeterProvider) (meters, error) {
	m := p.Meter("gongdan-bridge/internal/dispatch")
	var all error
	counter := func(name, unit, about string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		all = errors.Join(all, err)
		return c
	}
	h, err := m.Float64Histogram("gongdan.dispatch.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of one attempt in a stage, quick tries included."),
		metric.WithExplicitBucketBoundaries(.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60))
	return meters{
		attempts: counter("gongdan.dispatch.attempts", "{attempt}", "Attempts of a stage, by outcome and kind of failure."),
		seconds:  h,
		alerts:   counter("gongdan.dispatch.alerts", "{alert}", "What people must look at, by alarm."),
		rebuilds: counter("gongdan.dispatch.rebuilds", "{consumer}", "Consumers that made no progress and were made anew."),
	}, errors.Join(all, err)
}

func (m meters) attempt(ctx context.Context, tenant string, k orders.Queue, outcome, kind string, took time.Duration) {
	where := []attribute.KeyValue{
		attribute.String("tenant", tenant), attribute.String("stage", string(k.Stage)), attribute.String("noun", string(k.Noun)),
	}
	m.seconds.Record(ctx, took.Seconds(), metric.WithAttributes(where...))
	m.attempts.Add(ctx, 1, metric.WithAttributes(append(where,
		attribute.String("outcome", outcome), attribute.String("kind", kind))...))
}

func (m meters) alert(ctx context.Context, tenant string, why ledger.Alarm) {
	m.alerts.Add(ctx, 1, metric.WithAttributes(attribute.String("tenant", tenant), attribute.String("alarm", string(why))))
}

func (m meters) rebuilt(ctx context.Context, tenant string, k orders.Queue) {
	m.rebuilds.Add(ctx, 1, metric.WithAttributes(
		attribute.String("tenant", tenant), attribute.String("stage", string(k.Stage)), attribute.String("noun", string(k.Noun))))
}
