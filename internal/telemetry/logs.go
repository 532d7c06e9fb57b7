package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// newLogger writes a line per entry, with the trace and span that it belongs to, through the
// redactor. Redaction works on the finished line: message, keys, nested groups and values of any
// type are then covered alike.
func newLogger(o Options, r *Redactor) (*slog.Logger, error) {
	var level slog.Level
	if o.LogLevel != "" {
		if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
			return nil, fmt.Errorf("read log level %q: %w", o.LogLevel, err)
		}
	}
	w := o.Log
	if w == nil {
		w = io.Discard
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: withUnit}
	var inner slog.Handler
	switch o.LogFormat {
	case "", "json":
		inner = slog.NewJSONHandler(r.Writer(w), options)
	case "text":
		inner = slog.NewTextHandler(r.Writer(w), options)
	default:
		return nil, fmt.Errorf("read log format %q: not json or text", o.LogFormat)
	}
	var who []any
	for _, a := range [][2]string{{"service", o.Service}, {"instance", o.Instance}} {
		if a[1] != "" {
			who = append(who, slog.String(a[0], a[1]))
		}
	}
	return slog.New(traced{inner}).With(who...), nil
}

// withUnit writes a duration as a person says it, such as 1.2s or 3.004ms: a bare number of
// nanoseconds is read as something else.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	d := a.Value.Duration()
	switch {
	case d.Abs() >= time.Second:
		d = d.Round(time.Millisecond)
	case d.Abs() >= time.Millisecond:
		d = d.Round(time.Microsecond)
	}
	return slog.String(a.Key, d.String())
}

// traced adds trace_id and span_id of the context's span.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{h.Handler.WithAttrs(attrs)}
}
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

// quiet is the time for which further failures of the exporters are counted and not logged.
const quiet = 30 * time.Second

// complaints logs the failures of the OpenTelemetry SDK, such as an unreachable collector, at most
// once in quiet.
type complaints struct {
	log *slog.Logger

	mu      sync.Mutex
	next    time.Time
	dropped int
}

func newComplaints(log *slog.Logger) *complaints { return &complaints{log: log} }

// Handle is otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.next) {
		c.dropped++
		return
	}
	c.log.Warn("telemetry cannot be exported", slog.Any("error", err), slog.Int("more_like_it", c.dropped))
	c.next, c.dropped = now.Add(quiet), 0
}
