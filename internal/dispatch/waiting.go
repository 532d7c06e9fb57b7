package dispatch

import (
	"context"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// observe has what stands at the moment counted whenever somebody asks.
func (d *Dispatcher) observe(p metric.MeterProvider) error {
	m := p.Meter("gongdan-bridge/internal/dispatch")
	waiting, err := m.Int64ObservableGauge("gongdan.dispatch.waiting", metric.WithUnit("{order}"),
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
			for w, n := range own.waiting() {
				o.ObserveInt64(waiting, n, metric.WithAttributes(attribute.String("tenant", own.t.Name), attribute.String("stage", string(w.Stage)),
					attribute.String("noun", string(w.Noun)), attribute.String("why", string(w.why))))
			}
		}
		return nil
	}, waiting, letters, used, refused)
	return err
}

// waitKind is a sort of waiting: at which desk, and for what.
type waitKind struct {
	orders.Queue
	why ledger.Why
}

// waiting counts the orders that wait. What none waits for any more is told as 0,
// and so is a person's word from the beginning.
func (o *owner) waiting() map[waitKind]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := map[waitKind]int64{}
	for _, k := range orders.Queues {
		n[waitKind{k, ledger.Held}] = 0
	}
	for w := range o.waited {
		n[w] = 0
	}
	for _, a := range o.actors {
		for i, why := range a.waitsWhy() {
			if why != "" && why != ledger.Running {
				n[waitKind{orders.Queue{Stage: ledger.Stages[i], Noun: a.key.Noun}, why}]++
			}
		}
	}
	for w := range n {
		o.waited[w] = true
	}
	return n
}
