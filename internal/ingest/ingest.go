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
	"errors"
	"log/slog"
	"net/http"
	"time"

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

// Options are the endpoint's settings; those with a default may be zero.
type Options struct {
	Tenants        []Tenant
	Bus            Publisher
	Events         *events.Codec
	MaxBody        int64         // bytes of a POST body
	MaxInFlight    int           // requests at once; more get 503
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
	mux     *http.ServeMux
	tenants map[string]Tenant
	slots   chan struct{}
	tracer  trace.Tracer
	count   metric.Int64Counter
	seconds metric.Float64Histogram
	known   weiban.Documents
	drift   *drift.Counter
	alert   alerts
	recent  recent
}

// New returns the endpoint, or an error that names the missing setting.
func New(o Options) (*Endpoint, error) {
	if o.Bus == nil || o.Events == nil || o.Logger == nil || o.Tracer == nil || o.Meter == nil {
		return nil, errors.New("ingest: bus, events, logger, tracer and meter are needed")
	}
	if min(o.MaxBody, int64(o.MaxInFlight), int64(o.ReadTimeout), int64(o.PublishTimeout), int64(o.RetryAfter), int64(o.MaxFuture)) <= 0 {
		return nil, errors.New("ingest: every bound but MaxSkew must be more than 0")
	}
	e := &Endpoint{
		o: o, tenants: make(map[string]Tenant, len(o.Tenants)), slots: make(chan struct{}, o.MaxInFlight),
		tracer: o.Tracer.Tracer("gongdan-bridge/internal/ingest"), known: weiban.NewDocuments(),
	}
	e.mux = http.NewServeMux()
	e.mux.HandleFunc("/weiban/{tenant}", e.serve)
	e.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(http.StatusNotFound, "path").write(w, 0) })
	for _, t := range o.Tenants {
		e.tenants[t.Name] = t
	}
	m := o.Meter.Meter("gongdan-bridge/internal/ingest")
	var err, err2, err3, err4 error
	e.alert, err4 = newAlerts(o.Logger, o.Meter)
	e.drift, err3 = drift.NewCounter(o.Meter)
	e.count, err = m.Int64Counter("gongdan.ingest.callbacks",
		metric.WithDescription("Requests to the callback endpoint by tenant and result."), metric.WithUnit("{callback}"))
	e.seconds, err2 = m.Float64Histogram("gongdan.ingest.duration",
		metric.WithDescription("Time from a callback's first byte to its answer."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5))
	return e, errors.Join(err, err2, err3, err4)
}

// ServeHTTP serves the endpoint; any path but /weiban/{tenant} is 404.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mux.ServeHTTP(w, r)
}
