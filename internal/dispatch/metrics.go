package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"gongdan-bridge/internal/events"
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
		rebuilds: counter("gongdan.dispatch.rebuilds", "{consumer}", "Consumers that made no progress and were rebuilt."),
	}, errors.Join(all, err)
}

// begin makes every series at 0 that an alarm is built on: the first increase of a series
// that is born at 1 is seen by nobody.
func (m meters) begin(ctx context.Context, tenants []string) {
	for _, why := range ledger.CommonAlarms() {
		m.alerts.Add(ctx, 0, alertLabels("", why))
	}
	for _, tenant := range tenants {
		for _, why := range ledger.TenantAlarms() {
			m.alerts.Add(ctx, 0, alertLabels(tenant, why))
		}
		for _, k := range orders.Queues {
			where := queueLabels(tenant, k)
			m.rebuilds.Add(ctx, 0, metric.WithAttributes(where...))
			for _, kind := range events.Kinds() {
				m.attempts.Add(ctx, 0, outcomeLabels(where, string(events.Dead), string(kind)))
			}
			m.attempts.Add(ctx, 0, outcomeLabels(where, waiting, string(events.Uncertain)))
		}
	}
}

func queueLabels(tenant string, k orders.Queue) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("tenant", tenant), attribute.String("stage", string(k.Stage)), attribute.String("noun", string(k.Noun)),
	}
}

func outcomeLabels(where []attribute.KeyValue, outcome, kind string) metric.AddOption {
	return metric.WithAttributes(append(slices.Clip(where), attribute.String("outcome", outcome), attribute.String("kind", kind))...)
}

func alertLabels(tenant string, why ledger.Alarm) metric.AddOption {
	return metric.WithAttributes(attribute.String("tenant", tenant), attribute.String("alarm", string(why)))
}

func (m meters) attempt(ctx context.Context, tenant string, k orders.Queue, outcome, kind string, took time.Duration) {
	where := queueLabels(tenant, k)
	m.seconds.Record(ctx, took.Seconds(), metric.WithAttributes(where...))
	m.attempts.Add(ctx, 1, outcomeLabels(where, outcome, kind))
}

func (m meters) alert(ctx context.Context, tenant string, why ledger.Alarm) {
	m.alerts.Add(ctx, 1, alertLabels(tenant, why))
}

func (m meters) rebuilt(ctx context.Context, tenant string, k orders.Queue) {
	m.rebuilds.Add(ctx, 1, metric.WithAttributes(queueLabels(tenant, k)...))
}

// observe registers the gauges that are read when metrics are collected.
func (d *Dispatcher) observe(p metric.MeterProvider) error {
	m := p.Meter("gongdan-bridge/internal/dispatch")
	held, err := m.Int64ObservableGauge("gongdan.dispatch.waiting", metric.WithUnit("{order}"),
		metric.WithDescription("Orders of the tenants owned here that wait, by what for; letter is a person's word."))
	if err != nil {
		return err
	}
	letters, err := m.Int64ObservableGauge("gongdan.dead.letters", metric.WithUnit("{letter}"),
		metric.WithDescription("Open dead letters of all tenants; every replica tells the same."))
	if err != nil {
		return err
	}
	used, err := m.Float64ObservableGauge("gongdan.store.used", metric.WithUnit("1"),
		metric.WithDescription("Part of its size limit that a stream or bucket takes; every replica tells the same."))
	if err != nil {
		return err
	}
	refused, err := m.Int64ObservableGauge("gongdan.mapping.refused", metric.WithUnit("{mapping}"),
		metric.WithDescription("1 where a changed mapping was refused and the old one stays in force, else 0."))
	if err != nil {
		return err
	}
	_, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(letters, d.letters.Load())
		for name, share := range d.space.Shares() {
			o.ObserveFloat64(used, share, metric.WithAttributes(attribute.String("store", name)))
		}
		for _, t := range d.o.Tenants {
			n := int64(0)
			if t.Refused != nil && t.Refused() != nil {
				n = 1
			}
			o.ObserveInt64(refused, n, metric.WithAttributes(attribute.String("tenant", t.Name)))
		}
		d.mu.Lock()
		owners := slices.Collect(maps.Values(d.owners))
		d.mu.Unlock()
		for _, own := range owners {
			for w, n := range own.tally.Counts() {
				o.ObserveInt64(held, n, metric.WithAttributes(attribute.String("tenant", own.t.Name), attribute.String("stage", string(w.Stage)),
					attribute.String("noun", string(w.Noun)), attribute.String("why", string(w.Why))))
			}
		}
		return nil
	}, held, letters, used, refused)
	return err
}
