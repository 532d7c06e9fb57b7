package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// startTraces builds the tracer. Without an exporter it still gives every span an id, so that log
// lines and events can be tied together.
func (t *Telemetry) startTraces(ctx context.Context, o Options, about *resource.Resource) error {
	if isDisabled(o.Env) {
		t.TracerProvider = nooptrace.NewTracerProvider()
		return nil
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(about)}
	if o.Spans != nil {
		options = append(options, sdktrace.WithSyncer(t.Redactor.Exporter(o.Spans)))
	}
	endpoint, err := collector(o.Env, "traces")
	if err != nil {
		return err
	}
	if endpoint != "" {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
		if err != nil {
			return fmt.Errorf("export traces: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(t.Redactor.Exporter(exporter)))
	}
	provider := sdktrace.NewTracerProvider(options...)
	t.TracerProvider = provider
	t.stops = append(t.stops, provider.Shutdown)
	return nil
}

// startMetrics builds the meter, which /metrics always reads and OTLP gets where it is asked for.
func (t *Telemetry) startMetrics(ctx context.Context, o Options, about *resource.Resource) error {
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if isDisabled(o.Env) {
		t.MeterProvider = noopmetric.NewMeterProvider()
		return nil
	}
	scraped, err := otelprom.New(otelprom.WithRegisterer(t.registry), otelprom.WithoutScopeInfo())
	if err != nil {
		return fmt.Errorf("export metrics: %w", err)
	}
	options := []sdkmetric.Option{
		sdkmetric.WithResource(about), sdkmetric.WithReader(scraped), sdkmetric.WithView(views()...),
		sdkmetric.WithCardinalityLimit(commonSeries + o.Tenants*tenantSeries),
	}
	endpoint, err := collector(o.Env, "metrics")
	if err != nil {
		return err
	}
	if endpoint != "" {
		exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(endpoint))
		if err != nil {
			return fmt.Errorf("export metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.MeterProvider = provider
	t.stops = append(t.stops, provider.Shutdown)
	return nil
}

// The OpenTelemetry SDK counts what goes beyond a limit of series in one series without
// labels. No metric has more series than these; a series takes memory once it is used.
const (
	commonSeries = 2000 // of what is no tenant's
	tenantSeries = 300  // of a tenant: stage, noun, outcome and kind of gongdan.dispatch.attempts
)

// views keep each of our metrics to the labels of its list, so that no order number can become one.
func views() []sdkmetric.View {
	var all []sdkmetric.View
	for _, m := range Metrics() {
		keys := make([]attribute.Key, len(m.Labels))
		for i, label := range m.Labels {
			keys[i] = attribute.Key(label)
		}
		all = append(all, sdkmetric.NewView(sdkmetric.Instrument{Name: m.Name}, sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter(keys...)}))
	}
	return all
}

func isDisabled(env func(string) (string, bool)) bool {
	value, _ := env("OTEL_SDK_DISABLED")
	return strings.EqualFold(value, "true")
}

// collector is where a signal ("traces", "metrics") goes by OTLP over HTTP, "" for nowhere.
func collector(env func(string) (string, bool), signal string) (string, error) {
	upper := strings.ToUpper(signal)
	if exporter, ok := env("OTEL_" + upper + "_EXPORTER"); ok && exporter != "" && exporter != "otlp" {
		// /metrics is there in any case, so "prometheus" asks for nothing more.
		if exporter == "none" || exporter == "prometheus" && signal == "metrics" {
			return "", nil
		}
		return "", fmt.Errorf("read OTEL_%s_EXPORTER: %q is not otlp or none", upper, exporter)
	}
	endpoint, _ := env("OTEL_EXPORTER_OTLP_" + upper + "_ENDPOINT")
	name := "OTEL_EXPORTER_OTLP_" + upper + "_ENDPOINT"
	if endpoint == "" {
		base, _ := env("OTEL_EXPORTER_OTLP_ENDPOINT")
		if base == "" {
			return "", nil
		}
		name, endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT", strings.TrimSuffix(base, "/")+"/v1/"+signal
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("read %s: not an http or https URL", name)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + upper + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol, _ := env(name); protocol != "" {
			if protocol != "http/protobuf" {
				return "", fmt.Errorf("read %s: %q is not http/protobuf, the only protocol spoken here", name, protocol)
			}
			break
		}
	}
	return endpoint, nil
}

// headerSecrets are the values of the headers that the exporters send, as they are set and as they are
// sent; they usually are the collector's keys.
func headerSecrets(env func(string) (string, bool)) []string {
	var secrets []string
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"} {
		headers, _ := env(name)
		for pair := range strings.SplitSeq(headers, ",") {
			if _, value, ok := strings.Cut(pair, "="); ok {
				value = strings.TrimSpace(value)
				secrets = append(secrets, value)
				if sent, err := url.PathUnescape(value); err == nil && sent != value {
					secrets = append(secrets, sent)
				}
			}
		}
	}
	return secrets
}
