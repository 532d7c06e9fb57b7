package dispatch

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/telemetry"
)

// TestAlarmsHaveSeriesFromTheStart: increase() over a series that is born at 1 is 0, so what
// an alarm is built on is there at 0. With 300 tenants, each of which has had every outcome,
// no series goes beyond the limit of OpenTelemetry.
func TestAlarmsHaveSeriesFromTheStart(t *testing.T) {
	tenants := make([]string, 300)
	for i := range tenants {
		tenants[i] = fmt.Sprintf("t%03d", i)
	}
	tel, err := telemetry.Start(t.Context(), telemetry.Options{Tenants: len(tenants)})
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Shutdown(t.Context())
	m, err := newMeters(tel.MeterProvider)
	if err != nil {
		t.Fatal(err)
	}
	m.begin(t.Context(), tenants)
	page := metricsOf(t, tel)
	for _, want := range []string{
		`gongdan_dispatch_alerts_total{alarm="denied",tenant="t299"} 0`,
		`gongdan_dispatch_alerts_total{alarm="room",tenant=""} 0`,
		`gongdan_dispatch_rebuilds_total{noun="work_order",stage="enrich",tenant="t000"} 0`,
		`gongdan_dispatch_attempts_total{kind="unmapped",noun="work_order",outcome="dead",stage="handle",tenant="t000"} 0`,
		`gongdan_dispatch_attempts_total{kind="uncertain",noun="opportunity",outcome="waiting",stage="handle",tenant="t299"} 0`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("not from the start: %s", want)
		}
	}
	for _, tenant := range tenants {
		for _, k := range orders.Queues {
			for _, kind := range append(events.Kinds(), "") {
				m.attempt(t.Context(), tenant, k, waiting, string(kind), time.Second)
				m.attempt(t.Context(), tenant, k, string(events.Dead), string(kind), time.Second)
			}
			for _, outcome := range []string{"enriched", string(events.Applied), string(events.Ignored), string(events.Superseded)} {
				m.attempt(t.Context(), tenant, k, outcome, "", time.Second)
			}
		}
		m.alert(t.Context(), tenant, ledger.AlarmDenied)
	}
	page = metricsOf(t, tel)
	if strings.Contains(page, "otel_metric_overflow") {
		t.Error("300 tenants have more series than the limit")
	}
	if !strings.Contains(page, `gongdan_dispatch_alerts_total{alarm="denied",tenant="t299"} 1`) {
		t.Error("the alert of the last tenant is not counted as that")
	}
}

func metricsOf(t *testing.T, tel *telemetry.Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Admin().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	return w.Body.String()
}
