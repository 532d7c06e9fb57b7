package dispatch_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/script"
)

// measured is a metric's value for the labels that are given, 0 where there is none.
func measured(t *testing.T, r sdkmetric.Reader, name string, labels ...string) int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	add := func(points []metricdata.DataPoint[int64]) {
		for _, p := range points {
			fits := true
			for i := 0; i < len(labels); i += 2 {
				v, _ := p.Attributes.Value(attribute.Key(labels[i]))
				fits = fits && v.AsString() == labels[i+1]
			}
			if fits {
				n += p.Value
			}
		}
	}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				add(data.DataPoints)
			case metricdata.Sum[int64]:
				add(data.DataPoints)
			default:
				t.Fatalf("%s is a %T", name, data)
			}
		}
	}
	return n
}

// An order that waits for a person's word is counted for as long as it does, also
// by the owner that takes it over, and so is its letter.
func TestWaitingOrdersAreCounted(t *testing.T) {
	b := newBridge(t)
	var reader sdkmetric.Reader
	b.change = func(o *dispatch.Options) {
		reader = sdkmetric.NewManualReader()
		o.Meter, o.Trim = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), 50*time.Millisecond
	}
	stop := b.run("one", nil)
	b.kingdee.SetListShape(fakekingdee.ListOdd)
	number, _ := b.orderKnown(t)
	b.faultsK.Add(script.Fault{Kind: script.Cut, API: "handle-order", Commit: true})
	id := b.end(number, "修好")
	held := func() int64 {
		return measured(t, reader, "gongdan.dispatch.waiting", "why", "letter", "stage", "handle", "tenant", "acme")
	}
	b.until("it is counted", func() bool { return held() == 1 })
	stop()
	b.run("two", nil)
	b.until("the next owner counts it", func() bool { return held() == 1 && measured(t, reader, "gongdan.dead.letters") == 1 })
	if _, err := b.acts.Settle(t.Context(), operate.SettleRequest{Decision: wang("it is there"), Number: b.letters()[0].Number, Word: ledger.SettleApplied}); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	b.until("it is counted no more", func() bool { return held() == 0 && measured(t, reader, "gongdan.dead.letters") == 0 })
}
