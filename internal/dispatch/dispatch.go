// Package dispatch runs the dispatcher's two stages: enrich, which reads an
// event's detail from Weiban, and handle, which turns the enriched event into
// Kingdee's handle-order. What cannot be done becomes a dead letter; how an
// event ended is announced.
//
// Each stage reads its own durable consumers, one a noun and tenant, and calls
// one vendor only. Of one order it does one event at a time, in order. Package
// app runs it; it makes no decision about HTTP, tokens or mappings.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
)

// Tenant is one customer: its two vendors' clients and its mapping.
type Tenant struct {
	Name    string
	Account string // Kingdee's account set id, the source of outcome events
	DryRun  bool   // everything but the write to Kingdee
	Marker  bool   // write our marker at the end of clsmid
	Weiban  *weiban.Client
	Kingdee *kingdee.Client
	Mapping *mapping.Mapping
}

// Options are the dispatcher's settings; those with a default may be zero.
type Options struct {
	Bus         *bus.Bus
	Events      *events.Codec
	Letters     *deadletter.Box
	Tenants     []Tenant
	Concurrency int           // orders at once per stage and tenant, default 4
	MaxHeld     int           // messages held in memory per consumer, default 256
	AckWait     time.Duration // until an unacknowledged message comes again, default 60 s
	Quick       Quick
	Logger      *slog.Logger
	Tracer      trace.TracerProvider
	Meter       metric.MeterProvider
}

// Dispatcher is the running stages of all tenants.
type Dispatcher struct {
	o      Options
	tracer trace.Tracer
	meters meters
	rooms  []*room
}

// New checks the options.
func New(o Options) (*Dispatcher, error) {
	if o.Bus == nil || o.Events == nil || o.Letters == nil || o.Logger == nil || o.Tracer == nil || o.Meter == nil {
		return nil, errors.New("dispatch: bus, events, letters, logger, tracer and meter are needed")
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
	if o.MaxHeld <= 0 {
		o.MaxHeld = 256
	}
	if o.AckWait <= 0 {
		o.AckWait = time.Minute
	}
	o.Quick = o.Quick.orDefault()
	m, err := newMeters(o.Meter)
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{o: o, tracer: o.Tracer.Tracer("gongdan-bridge/internal/dispatch"), meters: m}
	for _, t := range o.Tenants {
		for _, n := range []events.Noun{events.WorkOrder, events.Opportunity} {
			d.rooms = append(d.rooms,
				d.room(t, events.Enrich, n, enricher{d: d, t: t}),
				d.room(t, events.Handle, n, handler{d: d, t: t}))
		}
	}
	return d, nil
}

// Run works until ctx ends, or until a consumer is lost. It then takes nothing
// new and finishes the calls in hand; hard ends those, too.
func (d *Dispatcher) Run(ctx, hard context.Context) error {
	lost := make(chan error, len(d.rooms))
	started := 0
	var err error
	for _, r := range d.rooms {
		if err = r.open(ctx, hard, lost); err != nil {
			break
		}
		started++
	}
	if err == nil {
		d.o.Logger.InfoContext(ctx, "dispatcher ready", slog.Int("tenants", len(d.o.Tenants)), slog.Int("consumers", started))
		select {
		case <-ctx.Done():
		case err = <-lost:
		}
	}
	for _, r := range d.rooms[:started] {
		err = errors.Join(err, r.close(hard))
	}
	if err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	return nil
}
