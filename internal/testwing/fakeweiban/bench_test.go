package fakeweiban

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// One detail call among ten thousand orders: what the simulator costs a load
// run.
func BenchmarkDetail(b *testing.B) {
	l := DocumentedLimits()
	l.PerMinute, l.PerHour = 1<<30, 1<<30
	s, err := New(Options{Limits: l, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	notices, err := s.Seed(10_000, nil)
	if err != nil {
		b.Fatal(err)
	}
	_, a := post(s, `{"corp_id":"1653682321878942721","secret":"sample-secret"}`)
	tok := a["access_token"].(string)
	i := 0
	for b.Loop() {
		at := "/open-api/workorder/detail?order_no=" + notices[i%len(notices)].Key + "&access_token=" + tok
		i++
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, at, nil))
		if w.Body.Len() < 3000 {
			b.Fatalf("answered %s", w.Body)
		}
	}
}

// Sealing one callback of a kilobyte.
func BenchmarkSeal(b *testing.B) {
	e, err := NewEnvelope("t", "6qkdMrq68nTKduznJYO1A37W2oEgpkMUvkttRToqhUt", "r")
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 1024)
	for b.Loop() {
		if _, err := e.Seal(message, [16]byte{}); err != nil {
			b.Fatal(err)
		}
	}
}
