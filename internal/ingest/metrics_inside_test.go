package ingest

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gongdan-bridge/internal/telemetry"
)

// What an alarm is built on is there at 0 before the first callback, for every tenant.
func TestAlarmsHaveSeriesFromTheStart(t *testing.T) {
	o := Options{Logger: slog.New(slog.DiscardHandler)}
	for i := range 300 {
		o.Tenants = append(o.Tenants, Tenant{Name: fmt.Sprintf("t%03d", i)})
	}
	tel, err := telemetry.Start(t.Context(), telemetry.Options{Tenants: len(o.Tenants)})
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Shutdown(t.Context())
	o.Meter = tel.MeterProvider
	if err := (&Endpoint{o: o}).measure(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	tel.Admin().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	page := w.Body.String()
	for _, want := range []string{
		`gongdan_ingest_alerts_total{alarm="unnumbered"} 0`,
		`gongdan_ingest_callbacks_total{result="not durable",tenant="t000"} 0`,
		`gongdan_ingest_callbacks_total{result="signature",tenant="t299"} 0`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("not from the start: %s", want)
		}
	}
	if strings.Contains(page, "otel_metric_overflow") {
		t.Error("300 tenants have more series than the limit")
	}
}
