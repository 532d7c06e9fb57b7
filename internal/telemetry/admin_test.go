package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w
}

func holds(context.Context) error { return nil }

func TestReadyzSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel, err := Start(t.Context(), Options{Secrets: []string{secret}})
		if err != nil {
			t.Fatal(err)
		}
		defer tel.Shutdown(t.Context())
		release := make(chan struct{})
		defer close(release)
		for _, c := range []struct {
			name   string
			checks []Check
			status int
			body   string
		}{
			{"no checks", nil, 200, `{"ready":true,"checks":[]}`},
			{"all hold", []Check{{Name: "nats", Ready: holds}, {Name: "tenant acme", Ready: holds}}, 200, `{"ready":true,"checks":[{"name":"nats","ready":true},{"name":"tenant acme","ready":true}]}`},
			{"one does not", []Check{{Name: "nats", Ready: holds}, {Name: "tenant acme", Ready: func(context.Context) error { return errors.New("refused with " + secret) }}}, 503, `{"ready":false,"checks":[{"name":"nats","ready":true},{"name":"tenant acme","ready":false,"why":"refused with …"}]}`},
			{"one is told beside", []Check{{Name: "mapping acme", Note: func() string { return "refused: " + secret }}, {Name: "nats", Ready: holds, Note: func() string { return "" }}}, 200, `{"ready":true,"checks":[{"name":"mapping acme","ready":true,"note":"refused: …"},{"name":"nats","ready":true}]}`},
			{"one never answers", []Check{{Name: "nats", Ready: func(context.Context) error { <-release; return nil }}}, 503, `{"ready":false,"checks":[{"name":"nats","ready":false,"why":"no answer within 2s"}]}`},
		} {
			w := get(t, tel.Admin(c.checks...), "/readyz")
			if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.body || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.body)
			}
			if w := get(t, tel.Admin(c.checks...), "/healthz"); w.Code != 200 {
				t.Errorf("%s: /healthz is %d: a process that is not ready is not dead", c.name, w.Code)
			}
		}
	})
}

func TestAdminRefusesTheRest(t *testing.T) {
	tel := start(t, Options{})
	mux := tel.Admin()
	if w := get(t, mux, "/debug/pprof/"); w.Code != http.StatusNotFound {
		t.Errorf("pprof is on without being asked for: %d", w.Code)
	}
	mux.Handle("/debug/pprof/", PProf())
	if w := get(t, mux, "/debug/pprof/goroutine?debug=1"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "goroutine profile") {
		t.Errorf("pprof, mounted: %d", w.Code)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/readyz", http.NoBody))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /readyz = %d", w.Code)
	}
}

// Every metric of the list appears on /metrics under the name that the list promises, with the
// labels of the list and no other.
func TestMetricsAreListed(t *testing.T) {
	tel := start(t, Options{Secrets: []string{secret}})
	meter := tel.MeterProvider.Meter("test")
	for _, m := range Metrics() {
		labels := []attribute.KeyValue{attribute.String("order", "1446377590381088768")}
		for _, label := range m.Labels {
			labels = append(labels, attribute.String(label, "is-"+label))
		}
		record(t, meter, m, metric.WithAttributes(labels...))
	}
	library, err := meter.Int64Counter("of.a.library")
	if err != nil {
		t.Fatal(err)
	}
	library.Add(t.Context(), 1, metric.WithAttributes(attribute.String("path", "/x"), attribute.String("leak", secret)))

	page := get(t, tel.Admin(), "/metrics").Body.String()
	for _, m := range Metrics() {
		if got := labelsOf(page, m); !cmp.Equal(got, sorted(m.Labels)) {
			t.Errorf("%s has the labels %v as %s, want %v", m.Name, got, m.Exposed(), sorted(m.Labels))
		}
		if m.Meaning == "" {
			t.Errorf("%s has no meaning", m.Name)
		}
		if m.Kind == "histogram" && !strings.Contains(page, m.Exposed()+"_bucket{") || m.Kind == "histogram" && !strings.Contains(page, `le="0.125"`) {
			t.Errorf("%s has lost the buckets that its meter asked for", m.Name)
		}
	}
	if !strings.Contains(page, `of_a_library_total{leak="…",path="/x"} 1`) || strings.Contains(page, secret) {
		t.Errorf("a library's metric is gone, or shows a secret:\n%s", page)
	}
	for _, name := range []string{"go_goroutines ", "process_resident_memory_bytes ", "target_info{"} {
		if !strings.Contains(page, "\n"+name) {
			t.Errorf("no %s on the page", name)
		}
	}
}

func record(t *testing.T, meter metric.Meter, m Metric, labels metric.MeasurementOption) {
	t.Helper()
	var err error
	switch m.Kind {
	case "counter":
		var c metric.Int64Counter
		if c, err = meter.Int64Counter(m.Name, metric.WithUnit(m.Unit)); err == nil {
			c.Add(t.Context(), 1, labels)
		}
	case "gauge":
		var g metric.Float64Gauge
		if g, err = meter.Float64Gauge(m.Name, metric.WithUnit(m.Unit)); err == nil {
			g.Record(t.Context(), 1, labels)
		}
	case "histogram":
		var h metric.Float64Histogram
		if h, err = meter.Float64Histogram(m.Name, metric.WithUnit(m.Unit), metric.WithExplicitBucketBoundaries(0.125)); err == nil {
			h.Record(t.Context(), 1, labels)
		}
	default:
		t.Errorf("%s: no such kind as %q", m.Name, m.Kind)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// labelsOf reads the names of a metric's labels off the page; nil where the metric is not on it.
func labelsOf(page string, m Metric) []string {
	name := m.Exposed()
	if m.Kind == "histogram" {
		name += "_count"
	}
	for _, line := range strings.Split(page, "\n") {
		inner, ok := strings.CutPrefix(line, name+"{")
		if !ok {
			continue
		}
		inner, _, _ = strings.Cut(inner, "}")
		var labels []string
		for pair := range strings.SplitSeq(inner, ",") {
			label, _, _ := strings.Cut(pair, "=")
			labels = append(labels, label)
		}
		return sorted(labels)
	}
	return nil
}

func sorted(words []string) []string { return slices.Sorted(slices.Values(words)) }
