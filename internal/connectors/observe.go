package connectors

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/events"
)

const scope = "gongdan-bridge/internal/connectors"

// meters are the account's instruments. Their labels are vendor, api and kind: never
// a tenant, a code or an order.
type meters struct {
	calls    metric.Int64Counter
	duration metric.Float64Histogram
	unlisted metric.Int64Counter
}

func newMeters(p metric.MeterProvider) meters {
	if p == nil {
		p = otel.GetMeterProvider()
	}
	m := p.Meter(scope)
	var made meters
	var err error
	made.calls, err = m.Int64Counter("gongdan.vendor.calls",
		metric.WithDescription("Calls to a vendor by outcome, refused ones included."))
	report(err)
	made.duration, err = m.Float64Histogram("gongdan.vendor.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Time on the wire of a call to a vendor."),
		metric.WithExplicitBucketBoundaries(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60))
	report(err)
	made.unlisted, err = m.Int64Counter("gongdan.vendor.unlisted_codes",
		metric.WithDescription("Answers whose code no table lists."))
	report(err)
	return made
}

// report hands a fault of an instrument, which still works as a no-op, to OTel.
func report(err error) {
	if err != nil {
		otel.Handle(err)
	}
}

func newTracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = otel.GetTracerProvider()
	}
	return p.Tracer(scope)
}

// begin makes the series of an API at 0 that alarms are built on.
func (acct *Account) begin(api string) {
	labels := acct.labels(api)
	acct.meters.unlisted.Add(context.Background(), 0, metric.WithAttributes(labels...))
	acct.meters.calls.Add(context.Background(), 0, metric.WithAttributes(append(labels, attribute.String("kind", string(events.Unavailable)))...))
}

func (acct *Account) labels(api string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("vendor", acct.o.Vendor), attribute.String("api", api)}
}

// callSpan is what is recorded of one call: its span, and its times.
type callSpan struct {
	account *Account
	api     string
	span    trace.Span
	begun   time.Time
	sent    time.Time
}

// span starts the CLIENT span of a call, before it waits for anything.
func (acct *Account) span(ctx context.Context, c Call) (context.Context, *callSpan) {
	ctx, span := acct.tracer.Start(ctx, acct.o.Vendor+" "+c.API,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(acct.labels(c.API)...),
		trace.WithAttributes(attribute.String("gongdan.tenant", acct.o.Tenant), attribute.Bool("gongdan.write", c.Write)))
	return ctx, &callSpan{account: acct, api: c.API, span: span, begun: time.Now()}
}

func (s *callSpan) admitted() {
	s.span.SetAttributes(attribute.Int64("bridge.waited_ms", time.Since(s.begun).Milliseconds()))
}

func (s *callSpan) sending(req *http.Request) {
	s.sent = time.Now()
	s.span.SetAttributes(
		attribute.String("http.request.method", req.Method),
		attribute.String("server.address", req.URL.Host),
		attribute.String("url.full", RedactURL(req.URL)),
	)
}

func (s *callSpan) received(ctx context.Context) {
	s.account.meters.duration.Record(ctx, time.Since(s.sent).Seconds(), metric.WithAttributes(s.account.labels(s.api)...))
}

func (s *callSpan) end(ctx context.Context, a Answer, f *events.Failure) {
	kind := "ok"
	if a.Status != 0 {
		s.span.SetAttributes(attribute.Int("http.response.status_code", a.Status))
	}
	if f != nil {
		kind = string(f.Kind)
		s.span.SetStatus(codes.Error, f.Reason)
		s.span.SetAttributes(attribute.String("gongdan.vendor.code", f.Code))
	}
	s.span.SetAttributes(attribute.String("gongdan.kind", kind))
	s.span.End()
	labels := append(s.account.labels(s.api), attribute.String("kind", kind))
	s.account.meters.calls.Add(ctx, 1, metric.WithAttributes(labels...))
}
