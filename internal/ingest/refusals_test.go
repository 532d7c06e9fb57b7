package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
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

// The first refusals of each result leave a line each, further ones one line a beat with
// their number; the metric counts all. After a beat without any there are full lines
// again, and what is left is said when the program ends.
func TestRefusalsAreSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		reader := sdk.NewManualReader()
		e := endpoint(t, &shelf{}, &log, func(o *ingest.Options) { o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader)) })
		ctx, stop := context.WithCancel(t.Context())
		go e.Watch(ctx, time.Minute)
		query, body := signed(t, key, corp, notice("m1", "close", "1"))
		forged := strings.Replace(query, "msg_signature=", "msg_signature=0", 1)
		lines := func(forge, miss int) []string {
			log.Reset()
			for range forge {
				post(t, e, "/weiban/acme", forged, body)
			}
			for range miss {
				post(t, e, "/callback", query, body)
			}
			return strings.Split(strings.TrimSpace(log.String()), "\n")
		}
		beat := func() (said struct {
			Msg     string
			Refused int64
			Results map[string]int64
		},
		) {
			log.Reset()
			<-time.After(time.Minute)
			synctest.Wait()
			if log.Len() > 0 {
				if err := json.Unmarshal(log.Bytes(), &said); err != nil {
					t.Fatalf("%v: %s", err, log.String())
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
		log.Reset()
		stop()
		synctest.Wait()
		if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, `"results":{"signature":5}`) {
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
