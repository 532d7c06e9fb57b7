package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "hunter2-secret"

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// start runs a telemetry that ends with the test.
func start(t *testing.T, o Options) *Telemetry {
	t.Helper()
	tel, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	return tel
}

func TestLogLinesCarryTheTraceAndNoSecret(t *testing.T) {
	var out bytes.Buffer
	tel := start(t, Options{Service: "ingest", Instance: "i-1", Log: &out, Secrets: []string{secret}})
	ctx, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "x")
	defer span.End()
	log := tel.Logger.With("with", secret)
	log.InfoContext(ctx, "message "+secret,
		"error", fmt.Errorf("get: %w", errors.New(`Get "https://h/x?access_token=abc": EOF`)), secret, 1,
		slog.Group("group", "any", struct{ A []string }{[]string{secret}}), "bytes", json.RawMessage(`{"s":"`+secret+`"}`))
	log.DebugContext(ctx, "below the level")

	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, out.String())
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "message …", "service": "ingest", "instance": "i-1", "with": "…",
		"error": `get: Get "https://h/x?access_token=…": EOF`, "…": 1.0,
		"group": map[string]any{"any": map[string]any{"A": []any{"…"}}}, "bytes": map[string]any{"s": "…"},
		"trace_id": span.SpanContext().TraceID().String(), "span_id": span.SpanContext().SpanID().String(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// A duration has its unit: took=3003937319 is read as anything.
func TestDurationsHaveUnits(t *testing.T) {
	var out bytes.Buffer
	tel := start(t, Options{Log: &out, LogFormat: "text"})
	tel.Logger.Info("x", slog.Duration("a", 3003937319), slog.Group("g", "b", 1076126*time.Nanosecond), "c", time.Minute, "d", 740*time.Nanosecond)
	if _, line, _ := strings.Cut(out.String(), "msg="); line != "x a=3.004s g.b=1.076ms c=1m0s d=740ns\n" {
		t.Errorf("wrote %q", line)
	}
}

func TestLogLevelAndFormat(t *testing.T) {
	var out bytes.Buffer
	tel := start(t, Options{Log: &out, LogLevel: "warn", LogFormat: "text"})
	tel.Logger.Info("unseen")
	tel.Logger.WithGroup("g").Warn("seen", "工单", "一")
	if _, line, _ := strings.Cut(out.String(), " "); line != "level=WARN msg=seen g.工单=一\n" {
		t.Errorf("wrote %q", line)
	}
	for _, o := range []Options{{LogLevel: "loud"}, {LogFormat: "xml"}} {
		if _, err := Start(t.Context(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestSpansAreExportedWithoutSecrets(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tel := start(t, Options{Service: "dispatcher", Namespace: "gongdan", Spans: spans, Secrets: []string{secret}})
	ctx, parent := tel.TracerProvider.Tracer("test").Start(t.Context(), "parent")
	_, child := tel.TracerProvider.Tracer("test").Start(ctx, "call "+secret, trace.WithLinks(trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("link", secret)}}))
	child.SetAttributes(
		attribute.String("url.full", "https://h/x?access_token=abc"), attribute.StringSlice("many", []string{"a", secret}),
		attribute.ByteSlice("bytes", []byte(secret)), attribute.Slice("mixed", attribute.StringValue(secret), attribute.IntValue(1)), attribute.Map("map", attribute.String("k", secret)), attribute.Int("n", 7),
	)
	child.RecordError(errors.New("refused " + secret))
	child.SetStatus(codes.Error, "refused "+secret)
	child.End()
	parent.End()

	got := spans.GetSpans()
	if len(got) != 2 || got[0].Name != "call …" || got[0].Parent.SpanID() != parent.SpanContext().SpanID() {
		t.Fatalf("spans = %+v", got)
	}
	if text := fmt.Sprintf("%+v %s", got, got[0].Attributes); strings.Contains(text, secret) || strings.Contains(text, "=abc") {
		t.Errorf("a secret was exported: %s", text)
	}
	want := []attribute.KeyValue{
		attribute.String("url.full", "https://h/x?access_token=…"), attribute.StringSlice("many", []string{"a", "…"}),
		attribute.ByteSlice("bytes", []byte("…")), attribute.Slice("mixed", attribute.StringValue("…"), attribute.IntValue(1)), attribute.Map("map", attribute.String("k", "…")), attribute.Int("n", 7),
	}
	if a, b := attribute.NewSet(want...), attribute.NewSet(got[0].Attributes...); !a.Equals(&b) {
		t.Errorf("attributes = %v, want %v", got[0].Attributes, want)
	}
	if service, _ := got[0].Resource.Set().Value("service.namespace"); service.AsString() != "gongdan" {
		t.Errorf("resource = %v", got[0].Resource)
	}
}

// received is a collector's memory.
type received struct {
	mu    sync.Mutex
	paths map[string]int
	body  bytes.Buffer
}

func collectorServer(t *testing.T) (*received, string) {
	t.Helper()
	r := &received{paths: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paths[req.URL.Path]++
		if _, err := io.Copy(&r.body, req.Body); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(server.Close)
	return r, server.URL
}

func TestTracesAndMetricsGoToTheCollectorThatIsNamed(t *testing.T) {
	seen, at := collectorServer(t)
	tel, err := Start(t.Context(), Options{Service: "ingest", Secrets: []string{secret}, Env: environment("OTEL_EXPORTER_OTLP_ENDPOINT", at+"/base/", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", at+"/own")})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "span-of-test")
	span.SetAttributes(attribute.String("a", secret))
	span.End()
	counter, err := tel.MeterProvider.Meter("test").Int64Counter("metric.of.test")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1)
	for range 2 { // the second call has nothing left to do
		tel.Shutdown(t.Context())
	}
	if diff := cmp.Diff(map[string]int{"/own": 1, "/base/v1/metrics": 1}, seen.paths); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for text, want := range map[string]bool{"span-of-test": true, "metric.of.test": true, secret: false} {
		if got := bytes.Contains(seen.body.Bytes(), []byte(text)); got != want {
			t.Errorf("the collector got %q: %v, want %v", text, got, want)
		}
	}
}

func TestWhereSignalsGo(t *testing.T) {
	for _, c := range []struct {
		name, signal, want, fault string
		env                       []string
	}{
		{name: "nothing set", signal: "traces"},
		{name: "base", signal: "traces", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}, want: "http://c:4318/v1/traces"},
		{name: "own", signal: "metrics", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://m/x"}, want: "https://m/x"},
		{name: "none", signal: "traces", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_TRACES_EXPORTER", "none"}},
		{name: "scraped", signal: "metrics", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_METRICS_EXPORTER", "prometheus"}},
		{name: "otlp", signal: "traces", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}, want: "http://c/v1/traces"},
		{name: "another exporter", signal: "traces", env: []string{"OTEL_TRACES_EXPORTER", "console"}, fault: `read OTEL_TRACES_EXPORTER: "console" is not otlp or none`},
		{name: "gRPC", signal: "traces", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, fault: `read OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not http/protobuf, the only protocol spoken here`},
		{name: "own protocol wins", signal: "traces", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"}, want: "http://c/v1/traces"},
		{name: "no URL", signal: "traces", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317"}, fault: "read OTEL_EXPORTER_OTLP_ENDPOINT: not an http or https URL"},
	} {
		got, err := collector(environment(c.env...), c.signal)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if got != c.want || fault != c.fault {
			t.Errorf("%s: collector = %q, %q; want %q, %q", c.name, got, fault, c.want, c.fault)
		}
	}
	if _, err := Start(t.Context(), Options{Env: environment("OTEL_EXPORTER_OTLP_ENDPOINT", "x")}); err == nil {
		t.Error("Start took an endpoint that is none")
	}
}

func TestDisabledSDKMeasuresAndTracesNothing(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tel := start(t, Options{Spans: spans, Env: environment("OTEL_SDK_DISABLED", "True", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")})
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "x")
	span.End()
	counter, err := tel.MeterProvider.Meter("test").Int64Counter("metric.of.test")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 1)
	page := get(t, tel.Admin(), "/metrics").Body.String()
	if len(spans.GetSpans()) != 0 || span.SpanContext().IsValid() || strings.Contains(page, "metric_of_test") || !strings.Contains(page, "go_goroutines") {
		t.Errorf("disabled, and yet: %d spans, metrics\n%s", len(spans.GetSpans()), page)
	}
}

func TestHeadersOfTheCollectorAreSecrets(t *testing.T) {
	tel := start(t, Options{Env: environment("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=gongdan-prod, authorization=Bearer%20abcdef")})
	if got := tel.Redactor.Text("sent Bearer%20abcdef of gongdan-prod"); got != "sent … of …" {
		t.Errorf("Text = %q", got)
	}
}

// What cannot be sent at the end is one line of the log, and cannot carry a secret.
func TestLastExportThatFailsIsLogged(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "unknown key "+r.Header.Get("X-Key"), http.StatusBadRequest)
	}))
	defer collector.Close()
	for name, value := range map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=hunter%202"} {
		t.Setenv(name, value)
	}
	var out bytes.Buffer
	tel := start(t, Options{Log: &out, Env: os.LookupEnv})
	tel.Shutdown(t.Context())
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "telemetry cannot be exported") || strings.Contains(got, "hunter 2") {
		t.Errorf("the log is\n%s", got)
	}
}

func TestInstallMakesItGlobal(t *testing.T) {
	tracer, meter, carrier, logger := otel.GetTracerProvider(), otel.GetMeterProvider(), otel.GetTextMapPropagator(), slog.Default()
	defer func() {
		otel.SetTracerProvider(tracer)
		otel.SetMeterProvider(meter)
		otel.SetTextMapPropagator(carrier)
		slog.SetDefault(logger)
	}()
	var out bytes.Buffer
	tel := start(t, Options{Log: &out})
	tel.Install()
	ctx, span := otel.Tracer("test").Start(t.Context(), "x")
	header := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, header)
	slog.InfoContext(ctx, "through the default logger")
	if id := span.SpanContext().TraceID().String(); !strings.Contains(header["traceparent"], id) || !strings.Contains(out.String(), id) {
		t.Errorf("trace %s is not in %v or %s", id, header, out.String())
	}
}

func TestComplaintsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := newComplaints(slog.New(slog.NewJSONHandler(&out, nil)))
		for range 5 {
			c.Handle(errors.New("collector unreachable"))
		}
		<-time.After(quiet)
		c.Handle(errors.New("collector unreachable"))
		if got := strings.Count(out.String(), "\n"); got != 2 || !strings.Contains(out.String(), `"more_like_it":4`) {
			t.Errorf("%d lines:\n%s", got, out.String())
		}
	})
}
