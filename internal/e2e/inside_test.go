//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/e2e/harness"
)

// runInside runs both programs in this process, as the sandbox does, until the
// test ends.
func runInside(t *testing.T, i *harness.Installation, spans *tracetest.InMemoryExporter) {
	t.Helper()
	cfg, err := config.Load(i.Config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []func(app.Run, context.Context) error{app.Run.Ingest, app.Run.Dispatcher} {
		ctx, stop := context.WithCancel(context.Background())
		ready, done := make(chan struct{}), make(chan error, 1)
		r := app.Run{Config: cfg, Log: io.Discard, Spans: spans, Ready: func(app.Addresses) { close(ready) }}
		go func() { done <- program(r, ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		select {
		case <-ready:
		case err := <-done:
			done <- nil // for the cleanup
			t.Fatal(err)
		}
	}
}

// waitForSpans waits until a span of that name has ended and returns all.
func waitForSpans(t *testing.T, spans *tracetest.InMemoryExporter, name string) tracetest.SpanStubs {
	t.Helper()
	ctx := within(t, patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		all := spans.GetSpans()
		if slices.ContainsFunc(all, func(s tracetest.SpanStub) bool { return s.Name == name }) {
			return all
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no span %q in %d", name, len(all))
		case <-tick.C:
		}
	}
}
