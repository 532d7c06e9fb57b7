//go:build unix

package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/harness"
)

// TestCollectorThatRefuses: what cannot be exported is one line of the log, in JSON as
// all others, and without the key that the collector repeats in its answer.
func TestCollectorThatRefuses(t *testing.T) {
	t.Parallel()
	const secret, said = "hunter2hunter2", "telemetry cannot be exported"
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "unknown key "+r.Header.Get("X-Key"), http.StatusBadRequest)
	}))
	t.Cleanup(collector.Close)
	i := install(t, harness.Options{Env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-key=" + secret,
		"OTEL_METRIC_EXPORT_INTERVAL=200",
	}})
	start(t, i)
	ctx := within(t, patience)
	for _, p := range []*harness.Process{i.Ingest, i.Dispatchers[0]} {
		var text []byte
		for !bytes.Contains(text, []byte(said)) {
			select {
			case <-ctx.Done():
				t.Fatalf("%s does not say %q", p.Name, said)
			case <-time.After(50 * time.Millisecond):
			}
			var err error
			if text, err = p.Log(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := i.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*harness.Process{i.Ingest, i.Dispatchers[0]} {
		text, err := p.Log()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s logs the collector's key", p.Name)
		}
		if n := bytes.Count(text, []byte(said)); n != 1 {
			t.Errorf("%s says %d times that it cannot export, want once", p.Name, n)
		}
		for line := range bytes.Lines(text) {
			if !json.Valid(line) {
				t.Errorf("%s logs a line that is no JSON: %s", p.Name, line)
			}
		}
	}
}
