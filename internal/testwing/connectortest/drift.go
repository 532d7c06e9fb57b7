package connectortest

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Drifts gives a meter, and what gongdan.drift has counted on it so far, by
// "vendor document what path".
func Drifts(t testing.TB) (metric.MeterProvider, func() map[string]int64) {
	t.Helper()
	reader := sdk.NewManualReader()
	return sdk.NewMeterProvider(sdk.WithReader(reader)), func() map[string]int64 {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				sum, ok := m.Data.(metricdata.Sum[int64])
				if m.Name != "gongdan.drift" || !ok {
					continue
				}
				for _, p := range sum.DataPoints {
					var words []string
					for _, label := range []string{"vendor", "document", "what", "path"} {
						v, _ := p.Attributes.Value(attribute.Key(label))
						words = append(words, v.AsString())
					}
					counts[strings.TrimSpace(strings.Join(words, " "))] += p.Value
				}
			}
		}
		return counts
	}
}
