// Package telemetry makes what a program needs to be seen: its logger, its tracer and meter,
// /metrics, and the health pages of the admin listener. All of it passes through one [Redactor],
// the last line of defence: the callers must leave secrets out, and the redactor cuts those that slip
// through.
//
// It does not decide what is logged, knows no event and no vendor, and sends traces nowhere unless
// the standard OTEL_* variables name a place. [Start] changes nothing global; a program that is alone
// in its process calls [Telemetry.Install]. Package app is the only caller; the other packages take a
// *slog.Logger and the OpenTelemetry providers.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Options say who speaks, how, and to whom.
type Options struct {
	Service   string // service.name: ingest, dispatcher
	Namespace string // service.namespace
	Version   string
	Instance  string // service.instance.id; one of its own per process
	Tenants   int    // how many tenants metrics may have as a label

	LogLevel  string // debug, info, warn, error; "" is info
	LogFormat string // json, text; "" is json
	Log       io.Writer

	// Env looks up the OTEL_* variables (os.LookupEnv); nil finds none. They decide which signals are
	// exported and where to. The OpenTelemetry SDK reads finer settings, such as headers and
	// intervals, from the process itself.
	Env func(string) (string, bool)
	// Secrets are cut out of every output; see [Redactor.Add].
	Secrets []string
	// Spans gets every span as it ends, beside OTLP; for tests and for the sandbox. It may be nil.
	Spans sdktrace.SpanExporter
}

// Telemetry is what [Start] built.
type Telemetry struct {
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Propagator     propagation.TextMapPropagator
	Redactor       *Redactor

	registry   *prometheus.Registry
	complaints *complaints
	stops      []func(context.Context) error
}

// Start builds everything. An error names a wrong option or OTEL_* variable. An unreachable
// collector is no error: it is logged at the first failed export.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	t := &Telemetry{Redactor: NewRedactor(), Propagator: propagation.TraceContext{}, registry: prometheus.NewRegistry()}
	t.Redactor.Add(o.Secrets...)
	t.Redactor.Add(headerSecrets(o.Env)...)
	logger, err := newLogger(o, t.Redactor)
	if err != nil {
		return nil, fmt.Errorf("start telemetry: %w", err)
	}
	t.Logger, t.complaints = logger, newComplaints(logger)
	about, err := describe(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start telemetry: %w", err)
	}
	if err := errors.Join(t.startTraces(ctx, o, about), t.startMetrics(ctx, o, about)); err != nil {
		t.Shutdown(ctx)
		return nil, fmt.Errorf("start telemetry: %w", err)
	}
	return t, nil
}

// describe returns the source of traces and metrics; OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME
// add to it and take precedence.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	attributes := []attribute.KeyValue{semconv.ServiceName(o.Service)}
	if o.Namespace != "" {
		attributes = append(attributes, semconv.ServiceNamespace(o.Namespace))
	}
	if o.Version != "" {
		attributes = append(attributes, semconv.ServiceVersion(o.Version))
	}
	if o.Instance != "" {
		attributes = append(attributes, semconv.ServiceInstanceID(o.Instance))
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attributes...), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("describe service: %w", err)
	}
	return about, nil
}

// Install makes these the process's global tracer, meter, propagator and logger, for libraries that
// ask there, and logs what cannot be exported. Without it the OpenTelemetry SDK writes every failed
// export to standard error, past the [Redactor]. Call it once, where no other program runs in the
// process.
func (t *Telemetry) Install() {
	otel.SetTracerProvider(t.TracerProvider)
	otel.SetMeterProvider(t.MeterProvider)
	otel.SetTextMapPropagator(t.Propagator)
	otel.SetErrorHandler(t.complaints)
	slog.SetDefault(t.Logger)
}

// lastWait bounds what is sent at the end: a collector that does not answer must not hold a
// program that has stopped until whoever stops it loses patience.
const lastWait = 3 * time.Second

// Shutdown sends what is still held, within three seconds, and ends. What cannot be sent is logged,
// and no error: a collector that is away must not make a program fail. It may be called twice; the
// second call does nothing.
func (t *Telemetry) Shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	for _, stop := range slices.Backward(t.stops) {
		if err := stop(ctx); err != nil {
			t.complaints.Handle(err)
		}
	}
	t.stops = nil
}
