package wait

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	mnoop "go.opentelemetry.io/otel/metric/noop"
	tnoop "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/accounttest"
)

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

// Between its breaker's opening and the probe that succeeds an API is not up,
// however long nobody probes it.
func TestAHalfOpenBreakerIsNotUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := accounttest.New(t, connectors.AccountOptions{
			Vendor: "kingdee", HTTP: &http.Client{Transport: refusing{}},
			Breaker: connectors.BreakerSettings{Failures: 1, OpenFor: 30 * time.Second},
			Tracer:  tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
		})
		g := &Availability{account: l, apis: []string{"handle-order"}}
		g.Refresh(time.Now())
		_, _ = l.Do(t.Context(), connectors.Call{API: "handle-order", Request: func(ctx context.Context) (*http.Request, error) {
			return httptest.NewRequestWithContext(ctx, http.MethodGet, "http://kingdee.test/", nil), nil
		}})
		if paused, _ := g.Refresh(time.Now()); !paused {
			t.Fatal("not paused by an open breaker")
		}
		<-time.After(31 * time.Second)
		if paused, _ := g.Refresh(time.Now()); paused {
			t.Fatal("a breaker that waits for its probe keeps the probe back")
		}
		<-time.After(2 * time.Hour)
		if _, up := g.Refresh(time.Now()); up > time.Second {
			t.Fatalf("up for %v", up)
		}
	})
}

// A call that could not be made, perhaps for want of a token, shuts the gate of
// the API that it was meant for: or its orders would be woken at every beat.
func TestAGateStaysShutAsLongAsItsCallsAskFor(t *testing.T) {
	g, now := &Availability{}, time.Now()
	g.closeUntil(now.Add(time.Minute))
	g.closeUntil(now.Add(time.Second))
	if paused, _ := g.Refresh(now.Add(59 * time.Second)); !paused {
		t.Fatal("open too early")
	}
	if paused, up := g.Refresh(now.Add(time.Minute)); paused || up != 0 {
		t.Fatalf("paused %v, up %v", paused, up)
	}
}

// Probes that fail are no resumption: a pause is told once, from the first to what
// proves that it is over.
func TestAPauseIsToldOnce(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	g := &Availability{}
	look := func(d time.Duration) (bool, string) {
		at = at.Add(d)
		paused, _ := g.Refresh(at)
		return paused, g.Shown()
	}
	for range 3 { // refused, and refused again at each probe
		g.deny(at.Add(5 * time.Minute))
		if paused, why := look(time.Second); !paused || why == "" {
			t.Fatal("refused credentials do not pause")
		}
		if paused, why := look(5 * time.Minute); paused || why == "" {
			t.Fatalf("before the probe has answered: paused %v, told %q", paused, why)
		}
	}
	g.succeeded("1")
	if _, why := look(time.Second); why != "" {
		t.Fatalf("still told after a success: %q", why)
	}
	g.closeUntil(at.Add(time.Minute)) // nobody calls afterwards
	look(time.Second)
	look(time.Minute)
	if _, why := look(trial); why != "" {
		t.Fatalf("told for ever: %q", why)
	}
	g.hold(true)
	look(time.Second)
	g.hold(false)
	if _, why := look(time.Second); why != "" {
		t.Fatalf("an operator's word is not believed: %q", why)
	}
}

// An open breaker keeps the kind that the table of failures gives it, and spends no try: the
// API is paused by the time that the ledger is told.
func TestAnOpenBreakerIsUnavailable(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Minute} {
		l := accounttest.New(t, connectors.AccountOptions{
			Vendor: "kingdee", Breaker: connectors.BreakerSettings{Failures: 1, OpenFor: 30 * time.Second},
			Tracer: tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
		})
		g := &Availability{account: l, apis: []string{"handle-order"}}
		open := &events.Failure{Kind: events.Unavailable, Wait: wait, Reason: "its breaker is open", Err: connectors.ErrOpen}
		if f := g.Judge(t.Context(), "7", open, time.Minute); f == nil || f.Kind != events.Unavailable {
			t.Errorf("judged as %+v", f)
		}
		if paused, _ := g.Refresh(time.Now()); !paused {
			t.Errorf("not paused with a wait of %s", wait)
		}
	}
}
