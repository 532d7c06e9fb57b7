package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	mnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/bustest"
)

// The room follows the stream: an alarm at 80 %, refusal from 90 % on, each said
// once, and a look that fails changes nothing.
func TestSpaceRefusesBeforeTheStreamIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, failing := bus.Usage{MaxBytes: 1000}, false
		set := func(used uint64, fails bool) {
			mu.Lock()
			defer mu.Unlock()
			now.Bytes, failing = used, fails
		}
		var log bytes.Buffer
		reader := sdkmetric.NewManualReader()
		r, err := ingest.NewSpace(func(_ context.Context, stream string) (bus.Usage, error) {
			mu.Lock()
			defer mu.Unlock()
			if stream != bus.Callbacks {
				t.Errorf("asked for %s", stream)
			}
			if failing {
				return bus.Usage{}, errors.New("no answer")
			}
			return now, nil
		}, slog.New(slog.NewTextHandler(&log, nil)), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go r.Watch(ctx, time.Second)
		for _, tt := range []struct {
			used    uint64
			fails   bool
			refused bool
			says    string
		}{
			{0, false, false, ""},
			{799, false, false, ""},
			{800, false, false, "is filling up"},
			{899, false, false, ""},
			{900, false, true, "callbacks are refused"},
			{950, false, true, ""},
			{0, true, true, ""},
			{899, false, false, "accepted again"},
			{100, false, false, "has space again"},
			{1000, false, true, "callbacks are refused"},
		} {
			log.Reset()
			set(tt.used, tt.fails)
			<-time.After(time.Second)
			synctest.Wait()
			if ready := r.Ready(t.Context()); (ready != nil) != (tt.refused || tt.fails) {
				t.Errorf("at %d ready is %v", tt.used, ready)
			}
			if err := r.Refuse(); (err != nil) != tt.refused || err != nil && !errors.Is(err, bus.ErrFull) {
				t.Errorf("at %d: %v", tt.used, err)
			}
			if said := log.String(); (said != "") != (tt.says != "") || !strings.Contains(said, tt.says) {
				t.Errorf("at %d it says %q, not %q", tt.used, said, tt.says)
			}
		}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		sum, _ := all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64])
		if !cmp.Equal(raised(sum), map[string]int64{"room": 4}) { // both edges, twice
			t.Errorf("alerts counted: %+v", sum.DataPoints)
		}
	})
}

// A stream that is deleted while callbacks come is said once, and ingest is not ready
// until it is there again.
func TestRoomMissesTheStream(t *testing.T) {
	s := bustest.Server(t)
	b := bustest.Connect(t, s, bus.Options{})
	nc, err := nats.Connect(s.URL(), nats.Token(s.Token()))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	looks := make(chan struct{})
	r, err := ingest.NewSpace(func(ctx context.Context, stream string) (bus.Usage, error) {
		select {
		case looks <- struct{}{}:
		case <-ctx.Done():
		}
		return b.Usage(ctx, stream)
	}, slog.New(slog.NewTextHandler(&log, nil)), mnoop.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	look := func() {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Watch(ctx, time.Millisecond)
		}()
		for range 4 {
			<-looks // three have ended once the fourth begins
		}
		stop()
		<-done
	}
	for _, tt := range []struct {
		do   func() error
		gone bool
		says string
	}{
		{func() error { return nil }, false, ""},
		{func() error { return js.DeleteStream(t.Context(), bus.Callbacks) }, true, "why=store text=\"it is not there any more"},
		{func() error { return nil }, true, ""},
		{func() error { return b.Provision(t.Context()) }, false, "there again"},
	} {
		log.Reset()
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		look()
		if err := r.Ready(t.Context()); errors.Is(err, bus.ErrUnprovisioned) != tt.gone || (err != nil) != tt.gone {
			t.Errorf("gone %t: ready is %v", tt.gone, err)
		}
		if said := log.String(); strings.Count(said, "\n") > 1 || (said != "") != (tt.says != "") || !strings.Contains(said, tt.says) {
			t.Errorf("gone %t: it says %q", tt.gone, said)
		}
	}
}

func TestStreamWithoutALimitIsNeverFull(t *testing.T) {
	r, err := ingest.NewSpace(func(context.Context, string) (bus.Usage, error) {
		return bus.Usage{Bytes: 1 << 40, MaxBytes: -1}, nil
	}, slog.New(slog.DiscardHandler), mnoop.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	r.Watch(ctx, time.Second)
	if err := r.Refuse(); err != nil {
		t.Fatal(err)
	}
}
