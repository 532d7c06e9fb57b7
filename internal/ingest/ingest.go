// Package ingest is the endpoint that Weiban calls: it verifies and opens a
// callback, makes a CloudEvent of it, and answers 200 only after JetStream has
// confirmed that the event is on disk.
//
// It is quick and keeps no state. It calls no vendor, reads no record and drops
// nothing that verified: a callback about an order that cannot be told goes to a
// key of its own, from where the dispatcher makes it a dead letter, and one that
// is about no order is published raw. Package app runs it.
package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/events"
)

// Tenant is one customer whose callbacks are accepted.
type Tenant struct {
	Name   string
	CorpID string // Weiban's tenant id, the event's source
	Codec  *weiban.Codec
}

// Publisher stores one event and returns once it is on disk.
type Publisher interface {
	Publish(ctx context.Context, m bus.Message) (bus.Ack, error)
}

// Options are the endpoint's settings.
type Options struct {
	Tenants        []Tenant
	Bus            Publisher
	Events         *events.Codec
	MaxBody        int64         // bytes of a POST body
	MaxInFlight    int           // verified callbacks at once, at most half of the connections; more get 503
	MaxConnections int           // connections at once, and fewer with few descriptors
	MaxReading     int64         // bytes of bodies that did not verify yet, at least four bodies
	Descriptors    uint64        // that the process may have, see [Descriptors]; 0 for any number
	ReadTimeout    time.Duration // for the whole body
	PublishTimeout time.Duration // until the event is on disk
	RetryAfter     time.Duration // told with a 503
	MaxSkew        time.Duration // largest age of a signature, 0 = any
	MaxFuture      time.Duration // how far a callback's own time may lie ahead
	Refuse         func() error  // asked first: why nothing can be accepted now; may be nil
	Logger         *slog.Logger
	Tracer         trace.TracerProvider
	Meter          metric.MeterProvider
}

// Endpoint answers GET and POST /weiban/{tenant}.
type Endpoint struct {
	o       Options
	tenants map[string]Tenant
	nobody  Tenant // stands for every unknown tenant
	slots   chan struct{}
	tracer  trace.Tracer
	count   metric.Int64Counter
	seconds metric.Float64Histogram
	known   weiban.Documents
	drift   *drift.Counter
	alert   alerts
	recent  recent

	refusals  *refusals
	conns     *connections
	evictions metric.Int64Counter
}

// New returns the endpoint, or an error that names the missing setting.
func New(o Options) (*Endpoint, error) {
	if o.Bus == nil || o.Events == nil || o.Logger == nil || o.Tracer == nil || o.Meter == nil {
		return nil, errors.New("ingest: bus, events, logger, tracer and meter are needed")
	}
	if min(o.MaxBody, int64(o.MaxInFlight), int64(o.MaxConnections), o.MaxReading, int64(o.ReadTimeout), int64(o.PublishTimeout), int64(o.RetryAfter), int64(o.MaxFuture)) <= 0 {
		return nil, errors.New("ingest: every bound but MaxSkew must be more than 0")
	}
	most := o.MaxConnections
	o.MaxConnections = connectionsWithin(most, o.Descriptors)
	o.MaxInFlight = min(o.MaxInFlight, max(1, o.MaxConnections/2))
	o.MaxReading = max(o.MaxReading, 4*o.MaxBody)
	e := &Endpoint{
		o: o, tenants: make(map[string]Tenant, len(o.Tenants)), slots: make(chan struct{}, o.MaxInFlight),
		tracer: o.Tracer.Tracer("gongdan-bridge/internal/ingest"), known: weiban.NewDocuments(),
		refusals: newRefusals(o.Logger), conns: newConnections(o.MaxConnections, o.MaxReading),
	}
	e.conns.closed, e.conns.unheard = e.evicted, e.unheard
	if o.MaxConnections < most {
		o.Logger.Warn("few descriptors, so fewer connections than configured are taken", slog.Uint64("descriptors", o.Descriptors),
			slog.Int("connections", o.MaxConnections), slog.Int("in_flight", o.MaxInFlight))
	}
	for _, t := range o.Tenants {
		e.tenants[t.Name] = t
	}
	var err error
	e.nobody.Codec, err = weiban.NewCodec([]weiban.Key{{Token: rand.Text(), EncodingAESKey: (rand.Text() + rand.Text())[:43]}}, []string{"nobody"})
	return e, errors.Join(err, e.measure())
}

// measure makes the endpoint's instruments.
func (e *Endpoint) measure() error {
	m := e.o.Meter.Meter("gongdan-bridge/internal/ingest")
	var errs [5]error
	e.alert, errs[0] = newAlerts(e.o.Logger, e.o.Meter)
	e.drift, errs[1] = drift.NewCounter(e.o.Meter)
	e.count, errs[2] = m.Int64Counter("gongdan.ingest.callbacks",
		metric.WithDescription("Requests to the callback endpoint by tenant and result."), metric.WithUnit("{callback}"))
	e.seconds, errs[3] = m.Float64Histogram("gongdan.ingest.duration",
		metric.WithDescription("Time from a callback's first byte to its answer."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5))
	e.evictions, errs[4] = m.Int64Counter("gongdan.ingest.evictions",
		metric.WithDescription("Connections closed at a bound before their request was there."), metric.WithUnit("{connection}"))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	for _, bound := range []string{boundConnections, boundBytes} {
		e.evictions.Add(context.Background(), 0, metric.WithAttributes(attribute.String("bound", bound)))
	}
	for _, t := range e.o.Tenants {
		for _, result := range alarming() {
			e.count.Add(context.Background(), 0, metric.WithAttributes(attribute.String("tenant", t.Name), attribute.String("result", result)))
		}
	}
	return nil
}
