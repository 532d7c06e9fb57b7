//go:build unix

package e2e_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/testwing/harness"
)

// runInside runs both programs in this process, as the sandbox does, until the
// test ends.
func runInside(t *testing.T, i *harness.Installation, spans *tracetest.InMemoryExporter) {
	t.Helper()
	for n, program := range []func(app.Run, context.Context) error{app.Run.Ingest, app.Run.Dispatcher} {
		p, err := i.Inside([]string{"ingest", "dispatcher"}[n], program, harness.InsideOptions{Spans: spans})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
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
