package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/connectors/weiban"
)

// record counts a request, ends its span's story, and writes its log line, or has it
// counted where lines are sampled.
func (e *Endpoint) record(ctx context.Context, r *http.Request, a answer, at attempt) {
	took := time.Since(at.start)
	result := a.fault
	switch {
	case result == "" && at.duplicate:
		result = "duplicate"
	case result == "":
		result = "accepted"
	}
	tenant := at.tenant
	if tenant == "" {
		tenant = "unknown"
	}
	where := metric.WithAttributes(attribute.String("tenant", tenant), attribute.String("result", result))
	e.count.Add(ctx, 1, where)
	e.seconds.Record(ctx, took.Seconds(), where)
	method := knownMethod(r.Method)
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.Int("http.response.status_code", a.status),
		attribute.String("gongdan.tenant", tenant), attribute.String("gongdan.result", result), attribute.String("cloudevents.event_id", at.id))
	level := slog.LevelInfo
	if a.fault != "" || at.unnumbered != "" {
		level = slog.LevelWarn
	}
	if a.status == http.StatusServiceUnavailable {
		level = slog.LevelError
		span.SetStatus(codes.Error, result)
	}
	if a.fault != "" && !at.verified && !e.refusals.take(result) {
		return
	}
	attrs := []slog.Attr{
		slog.String("tenant", tenant), slog.String("method", method), slog.Int("status", a.status),
		slog.String("result", result), slog.Duration("took", took),
	}
	if path := plainPath(r.URL.Path); path != "" && (result == faultPath || result == faultTenant) {
		attrs = append(attrs, slog.String("path", path))
	}
	e.o.Logger.LogAttrs(ctx, level, "callback", append(attrs, at.attrs()...)...)
}

// unheard records a request that ended before a handler had it: net/http refused it, or
// its connection ended first.
func (e *Endpoint) unheard(evicted bool) {
	ctx, result := context.Background(), faultHead
	if evicted {
		result = faultEvicted
	}
	e.count.Add(ctx, 1, metric.WithAttributes(attribute.String("tenant", "unknown"), attribute.String("result", result)))
	if e.refusals.take(result) {
		e.o.Logger.LogAttrs(ctx, slog.LevelWarn, "callback", slog.String("tenant", "unknown"), slog.String("result", result))
	}
}

// evicted counts a connection that was closed at a bound.
func (e *Endpoint) evicted(bound string) {
	e.evictions.Add(context.Background(), 1, metric.WithAttributes(attribute.String("bound", bound)))
}

// attrs are what the log line of an attempt has of the event, and of what was wrong.
func (at attempt) attrs() (attrs []slog.Attr) {
	if at.id != "" {
		attrs = append(attrs, slog.String("event", at.id), slog.String("type", at.event),
			slog.String("order", at.order), slog.Uint64("sequence", at.sequence))
	}
	if at.unnumbered != "" {
		attrs = append(attrs, slog.String("unnumbered", at.unnumbered))
	}
	if at.cause != nil {
		attrs = append(attrs, slog.String("cause", at.cause.Error()))
	}
	if refused := (*weiban.CallbackError)(nil); errors.As(at.cause, &refused) && refused.Received != "" {
		// Signed with the tenant's token, and for whom: weiban.receivers may lack it.
		attrs = append(attrs, slog.String("receiver", refused.Received))
	}
	return attrs
}
