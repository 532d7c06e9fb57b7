package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ingest"
)

// results counts gongdan.ingest.callbacks by result.
func results(t *testing.T, r sdk.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "gongdan.ingest.callbacks" {
				for _, p := range sum.DataPoints {
					result, _ := p.Attributes.Value("result")
					counts[result.AsString()] += p.Value
				}
			}
		}
	}
	return counts
}

// sharedLog is a log of several goroutines.
type sharedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *sharedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// take gives what was logged since it was last called.
func (l *sharedLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// The first refusals of each result leave a line each, further ones one line a beat with
// their number; the metric counts all. After a beat without any there are full lines
// again, and what is left is said when the program ends.
func TestRefusalsAreSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log sharedLog
		reader := sdk.NewManualReader()
		e := endpoint(t, &shelf{}, &log, func(o *ingest.Options) { o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader)) })
		ctx, stop := context.WithCancel(t.Context())
		go e.Watch(ctx, time.Minute)
		query, body := signed(t, key, corp, notice("m1", "close", "1"))
		forged := strings.Replace(query, "msg_signature=", "msg_signature=0", 1)
		lines := func(forge, miss int) []string {
			log.take()
			for range forge {
				post(t, e, "/weiban/acme", forged, body)
			}
			for range miss {
				post(t, e, "/callback", query, body)
			}
			return strings.Split(strings.TrimSpace(log.take()), "\n")
		}
		beat := func() (said struct {
			Msg     string
			Refused int64
			Results map[string]int64
		},
		) {
			log.take()
			<-time.After(time.Minute)
			synctest.Wait()
			if text := log.take(); text != "" {
				if err := json.Unmarshal([]byte(text), &said); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
			}
			return said
		}
		if all := lines(500, 12); len(all) != 20 {
			t.Errorf("%d lines at first, want ten of each result", len(all))
		}
		if said := beat(); said.Refused != 492 || said.Results["signature"] != 490 || said.Results["path"] != 2 {
			t.Errorf("after the first beat: %+v", said)
		}
		if all := lines(30, 0); len(all) != 1 || all[0] != "" {
			t.Errorf("while it goes on: %q", all)
		}
		if said := beat(); said.Refused != 30 || said.Results["signature"] != 30 {
			t.Errorf("after the second beat: %+v", said)
		}
		if said := beat(); said.Msg != "" {
			t.Errorf("after a quiet beat: %+v", said)
		}
		if all := lines(15, 1); len(all) != 11 {
			t.Errorf("%d lines after a quiet beat, want eleven", len(all))
		}
		log.take()
		stop()
		synctest.Wait()
		if said := log.take(); strings.Count(said, "\n") != 1 || !strings.Contains(said, `"results":{"signature":5}`) {
			t.Errorf("at the end: %s", said)
		}
		if now := results(t, reader); now["signature"] != 545 || now["path"] != 13 {
			t.Errorf("counted %v", now)
		}
	})
}

// What verified and could not be stored is Weiban's own: each has its line.
func TestWhatVerifiedIsNeverSampled(t *testing.T) {
	var log bytes.Buffer
	e := endpoint(t, broken{bus.ErrUnreachable}, &log, nil)
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	for range 40 {
		post(t, e, "/weiban/acme", query, body)
	}
	if n := strings.Count(log.String(), `"result":"not durable"`); n != 40 {
		t.Errorf("%d lines of 40", n)
	}
}
