package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/bustest"
)

// flood is how much strangers send beside genuine callbacks.
type flood struct {
	forged      int // requests, each answered
	idle        int // sockets that send one byte of a body and wait
	genuine     int // callbacks, spread evenly over the forged requests
	connections int // that the endpoint takes
	logged      int // bytes, at most

	// A forged request that came on a connection while that was closed, since it had
	// been idle for longest.
	unanswered atomic.Int64
}

// TestFlood sends forged requests and idle bodies beside genuine callbacks: every genuine
// callback is accepted, the log stays short, and memory stays flat. At full size, with
// GONGDAN_FLOOD=full, it is 200,000 forged requests and 2,000 idle bodies.
func TestFlood(t *testing.T) {
	f := &flood{forged: 6000, idle: 300, genuine: 60, connections: 128, logged: 100_000}
	if os.Getenv("GONGDAN_FLOOD") == "full" {
		f = &flood{forged: 200_000, idle: 2000, genuine: 2000, connections: 1024, logged: 1_000_000}
	}
	spans, reader := tracetest.NewInMemoryExporter(), sdk.NewManualReader()
	var log meter
	e := endpoint(t, bustest.New(t), &log, func(o *ingest.Options) {
		o.MaxConnections, o.ReadTimeout, o.Descriptors = f.connections, 10*time.Second, ingest.Descriptors()
		o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader))
		o.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	})
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		e.Watch(ctx, time.Second)
	}()
	at := guarded(t, e)
	early, late := f.run(t, at)
	stop()
	<-watched

	counts := results(t, reader)
	t.Logf("results %v, evictions %v", counts, evictions(t, reader))
	t.Logf("%d without an answer; log %d bytes in %d lines; memory %d KiB at a quarter, %d KiB at the end", f.unanswered.Load(), log.bytes.Load(), log.lines.Load(), early>>10, late>>10)
	if counts["accepted"] != int64(f.genuine) || len(spans.GetSpans()) != f.genuine {
		t.Errorf("%d callbacks accepted, %d spans; want %d", counts["accepted"], len(spans.GetSpans()), f.genuine)
	}
	if n := counts["signature"] + counts["tenant"] + counts["path"] + counts["missing-encrypt"] + counts["body"]; n < int64(f.forged)-f.unanswered.Load() {
		t.Errorf("%d of %d forged requests are counted: %v", n, f.forged, counts)
	}
	if n := log.bytes.Load(); n > int64(f.logged) {
		t.Errorf("%d bytes logged, at most %d", n, f.logged)
	}
	if late > early+16<<20 {
		t.Errorf("memory grew from %d to %d KiB", early>>10, late>>10)
	}
}

// run sends everything, and gives the memory in use after a quarter and at the end.
func (f *flood) run(t *testing.T, at string) (early, late uint64) {
	t.Helper()
	var sent atomic.Int64
	due, quarter := make(chan int, f.genuine), make(chan struct{})
	var strangers, ours sync.WaitGroup
	forge := forgeries(t, at)
	for range 8 {
		strangers.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for {
				n := int(sent.Add(1))
				if n > f.forged {
					return
				}
				switch status := forge(c, n); {
				case status == 0:
					f.unanswered.Add(1)
				case status < 400 || status > 404:
					t.Errorf("forged request %d was answered %d", n, status)
				}
				if every := f.forged / f.genuine; n%every == 0 {
					due <- n
				}
				if n == f.forged/4 {
					close(quarter)
				}
			}
		})
	}
	for i := range 4 {
		ours.Go(func() {
			// Two clients keep their connection, two take a new one each time.
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer c.CloseIdleConnections()
			for n := range due {
				query, body := signed(t, key, corp, notice(fmt.Sprint("genuine-", n), "close", fmt.Sprint(n)))
				if status, err := send(c, http.MethodPost, "http://"+at+"/weiban/acme?"+query, body); status != http.StatusOK {
					t.Errorf("genuine callback %d: %d %v", n, status, err)
				}
			}
		})
	}
	query, _ := signed(t, key, corp, "x")
	for range f.idle {
		c := dial(t, at)
		_, _ = fmt.Fprintf(c, "POST /weiban/acme?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", query)
	}
	<-quarter
	early = memory()
	strangers.Wait()
	late = memory()
	close(due)
	ours.Wait()
	return early, late
}

// forgeries gives what sends the nth forged request: five sorts in turn.
func forgeries(t *testing.T, at string) func(c *http.Client, n int) (status int) {
	t.Helper()
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	query = strings.Replace(query, "msg_signature=", "msg_signature=0", 1)
	sorts := []struct{ path, query, body string }{
		{"/weiban/acme", query, body},
		{"/weiban/nobody", query, body},
		{"/callback", query, body},
		{"/weiban/acme", "", "{}"},
		{"/weiban/acme", query, strings.Repeat("[", 4000)},
	}
	return func(c *http.Client, n int) (status int) {
		s := sorts[n%len(sorts)]
		status, _ = send(c, http.MethodPost, "http://"+at+s.path+"?"+s.query, s.body)
		return status
	}
}

// send gives the status of an answer that was read to its end.
func send(c *http.Client, method, to, body string) (int, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, to, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// memory is what heap and stacks hold after a collection.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// meter counts what is logged and keeps none of it.
type meter struct{ bytes, lines atomic.Int64 }

func (m *meter) Write(b []byte) (int, error) {
	m.bytes.Add(int64(len(b)))
	m.lines.Add(int64(bytes.Count(b, []byte{'\n'})))
	return len(b), nil
}
