package bus

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const tracerName = "gongdan-bridge/internal/bus"

// propagator writes traceparent and tracestate. It does not follow the process's
// configuration: both are part of the bridge's events.
func propagator() propagation.TraceContext { return propagation.TraceContext{} }

// carrier puts W3C trace headers on a NATS message. NATS header names are case-sensitive:
// carrier writes them in lower case, not in HTTP's canonical form, and reads any case.
type carrier Header

func (c carrier) Get(name string) string { return Header(c).Get(name) }

func (c carrier) Set(name, value string) {
	for k := range c {
		if strings.EqualFold(k, name) {
			delete(c, k)
		}
	}
	c[name] = []string{value}
}

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

// TraceParent is the W3C traceparent of a context's span, "" for none.
func TraceParent(ctx context.Context) string {
	c := carrier{}
	propagator().Inject(ctx, c)
	return c.Get("traceparent")
}

// WithTraceParent returns ctx with the span of a traceparent as its remote parent, so that
// what is published continues that trace. One that cannot be read changes nothing.
func WithTraceParent(ctx context.Context, parent string) context.Context {
	return propagator().Extract(ctx, carrier{"traceparent": {parent}})
}

// startPublish begins the span of one publish. The subject's shape is its name, so that
// it holds no id.
func (b *Bus) startPublish(ctx context.Context, shape string, m Message) (context.Context, trace.Span) {
	return b.tracer.Start(ctx, "publish "+shape,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			semconv.MessagingSystemKey.String("nats"),
			semconv.MessagingOperationName("publish"),
			semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationTemplate(shape),
			semconv.MessagingMessageID(m.ID),
			semconv.MessagingMessageBodySize(len(m.Data)),
		))
}

// endPublish ends the span with the outcome.
func endPublish(span trace.Span, ack Ack, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "not stored")
	} else {
		span.SetAttributes(
			attribute.String("nats.stream", ack.Stream),
			attribute.Int64("nats.sequence", int64(ack.Sequence)),
			attribute.Bool("nats.duplicate", ack.Duplicate))
	}
	span.End()
}
