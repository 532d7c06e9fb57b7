package ingest_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	mnoop "go.opentelemetry.io/otel/metric/noop"
	tnoop "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/bustest"
)

// TestBoundsAreNeeded: a bound of zero would mean none, or nothing at all; no default hides that.
func TestBoundsAreNeeded(t *testing.T) {
	_, err := ingest.New(ingest.Options{
		Bus: bustest.New(t), Events: events.NewCodec(nil), MaxBody: 1, MaxInFlight: 1,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Tracer: tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
	})
	if err == nil || !strings.Contains(err.Error(), "more than 0") {
		t.Errorf("an endpoint without bounds: %v", err)
	}
}
