package connectors

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/events"
)

// TestWhatIsSeen: one CLIENT span a call, under its caller's, with the vendor's
// code; a counter by kind; and no secret in either.
func TestWhatIsSeen(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	reader := sdkmetric.NewManualReader()
	l := newAccount(t, AccountOptions{
		Vendor: "kingdee", Tenant: "acme", HTTP: client(quick),
		Tracer: tracer, Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	ctx, parent := tracer.Tracer("t").Start(t.Context(), "handle")
	refuse := func(Answer) *events.Failure {
		return &events.Failure{Kind: events.Rejected, Code: "10201", Reason: "no"}
	}
	for _, classify := range []func(Answer) *events.Failure{nil, refuse, refuse} {
		_, _ = l.Do(ctx, Call{API: "handle-order", Request: get, Classify: classify})
	}
	l.Unlisted(ctx, "handle-order")
	parent.End()

	got := spans.GetSpans()
	if len(got) != 4 {
		t.Fatalf("%d spans", len(got))
	}
	first, second := got[0], got[1]
	if first.Name != "kingdee handle-order" || first.SpanKind != trace.SpanKindClient || first.Parent.SpanID() != parent.SpanContext().SpanID() {
		t.Errorf("span %q of kind %v under %v", first.Name, first.SpanKind, first.Parent.SpanID())
	}
	seen := make(map[string]string)
	for _, a := range second.Attributes {
		seen[string(a.Key)] = a.Value.String()
	}
	delete(seen, "bridge.waited_ms")
	want := map[string]string{
		"vendor": "kingdee", "api": "handle-order", "gongdan.tenant": "acme", "gongdan.write": "false", "gongdan.kind": "rejected",
		"gongdan.vendor.code": "10201", "http.request.method": http.MethodGet, "http.response.status_code": "200",
		"server.address": "vendor.example", "url.full": "https://vendor.example/x?access_token=…",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	counted := metrics(t, reader)
	wantCounts := map[string]int64{
		"gongdan.vendor.calls api=handle-order kind=ok vendor=kingdee":          1,
		"gongdan.vendor.calls api=handle-order kind=rejected vendor=kingdee":    2,
		"gongdan.vendor.calls api=handle-order kind=unavailable vendor=kingdee": 0, // from the start, for alarms
		"gongdan.vendor.unlisted_codes api=handle-order vendor=kingdee":         1,
		"gongdan.vendor.call.duration api=handle-order vendor=kingdee":          3,
	}
	if diff := cmp.Diff(wantCounts, counted); diff != "" {
		t.Error(diff)
	}
	if all := fmt.Sprintf("%+v %+v", got, counted); strings.Contains(all, "sesame") {
		t.Error("a span or a metric shows the token")
	}
}

// metrics is what the reader has: name and labels, with the count.
func metrics(t *testing.T, r sdkmetric.Reader) map[string]int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int64)
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					out[labelled(m.Name, p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					out[labelled(m.Name, p.Attributes)] = int64(p.Count)
				}
			}
		}
	}
	return out
}

func labelled(name string, labels attribute.Set) string {
	for _, kv := range labels.ToSlice() {
		name += " " + string(kv.Key) + "=" + kv.Value.String()
	}
	return name
}
