package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	mnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/bustest"
)

// A stream and a bucket that are deleted while ingest runs are there again within a
// beat, and callbacks can be stored; each is one alert.
func TestWhatVanishesIsMadeAgain(t *testing.T) {
	srv := bustest.Server(t)
	b := bustest.Connect(t, srv, bus.Options{})
	var log bytes.Buffer
	reader := sdkmetric.NewManualReader()
	p, err := ingest.NewProvisioner(b.Mend, slog.New(slog.NewTextHandler(&log, nil)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	callback := bus.Message{Subject: "gongdan.acme.event.weiban.work_order_change.close.7", ID: "acme/1", Data: []byte(`{}`)}
	if _, err := b.Publish(t.Context(), callback); err != nil {
		t.Fatal(err)
	}
	bustest.Remove(t, srv, bus.Callbacks)
	bustest.Remove(t, srv, "KV_"+bus.State)
	if _, err := b.Publish(t.Context(), callback); err == nil {
		t.Fatal("stored in a stream that is not there")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Watch(ctx, 10*time.Millisecond) }()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		id, err := b.Identity(t.Context(), bus.State)
		if _, perr := b.Publish(t.Context(), callback); err == nil && perr == nil && !id.Missing {
			break
		}
		select {
		case <-deadline:
			t.Fatal("not made again")
		case <-tick.C:
		}
	}
	stop()
	<-done
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	sum, _ := all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64])
	if name := all.ScopeMetrics[0].Metrics[0].Name; name != "gongdan.ingest.alerts" || !cmp.Equal(raised(sum), map[string]int64{"store": 2}) {
		t.Errorf("%s: %+v, want two alerts", name, sum.DataPoints)
	}
	for _, want := range []string{"level=ERROR msg=alert why=store", "stream=CALLBACKS", "stream=KV_STATE"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log.String())
		}
	}
}

// raised is how often each alarm was.
func raised(sum metricdata.Sum[int64]) map[string]int64 {
	out := map[string]int64{}
	for _, p := range sum.DataPoints {
		if alarm, _ := p.Attributes.Value("alarm"); p.Value > 0 {
			out[alarm.AsString()] = p.Value
		}
	}
	return out
}

// Why nothing can be made again is said once.
func TestProvisionerSaysOnceWhyItCannot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p, err := ingest.NewProvisioner(func(context.Context) ([]string, error) { return nil, errors.New("no room") },
			slog.New(slog.NewTextHandler(&log, nil)), mnoop.NewMeterProvider())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		p.Watch(ctx, time.Second)
		if n := strings.Count(log.String(), "no room"); n != 1 {
			t.Errorf("said %d times: %s", n, log.String())
		}
	})
}
