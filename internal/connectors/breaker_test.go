package connectors

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/events"
)

// TestBreakerByOrder: which rows of failures open a breaker of three. A row is a
// list of calls: the order asked about, "" for none, and the HTTP status of an
// answer without an outcome; 0 is no answer, 200 with fine set a success.
func TestBreakerByOrder(t *testing.T) {
	type call struct {
		about  string
		status int
		fine   bool
	}
	bad := func(about string) call { return call{about, 200, false} }
	fine := call{"z", 200, true}
	for name, tc := range map[string]struct {
		calls []call
		opens bool
	}{
		"one order, ever again":        {[]call{bad("a"), bad("a"), bad("a"), bad("a"), bad("a"), bad("a")}, false},
		"two orders in turns":          {[]call{bad("a"), bad("b"), bad("a"), bad("b"), bad("a"), bad("b")}, false},
		"three orders":                 {[]call{bad("a"), bad("b"), bad("b"), bad("c")}, true},
		"three, a success between":     {[]call{bad("a"), bad("b"), fine, bad("c"), bad("a")}, false},
		"three after a success":        {[]call{bad("a"), bad("b"), fine, bad("c"), bad("a"), bad("b")}, true},
		"about no order":               {[]call{bad(""), bad(""), bad("")}, true},
		"one order and two without":    {[]call{bad("a"), bad("a"), bad(""), bad("")}, true},
		"one order's page of 404":      {[]call{{"a", 404, false}, {"a", 404, false}, {"a", 404, false}, {"a", 404, false}}, false},
		"one order's 502":              {[]call{{"a", 502, false}, {"a", 502, false}, {"a", 502, false}}, true},
		"one order, nobody answers":    {[]call{{"a", 0, false}, {"a", 0, false}, {"a", 0, false}}, true},
		"no answer, then one order":    {[]call{{"b", 0, false}, bad("a"), bad("a"), bad("a")}, false},
		"no answer, then other orders": {[]call{{"b", 0, false}, bad("a"), bad("b")}, true},
	} {
		for _, write := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var now call
				l := newAccount(t, AccountOptions{
					Vendor: "weiban", Breaker: BreakerSettings{Failures: 3, OpenFor: 20 * time.Second},
					HTTP: client(func(*http.Request) (*http.Response, error) {
						if now.status == 0 {
							return nil, errors.New("connection reset")
						}
						return answer(now.status, "<html>"), nil
					}),
				})
				for _, now = range tc.calls {
					_, _ = l.Do(t.Context(), Call{API: "x", About: now.about, Write: write, Request: get, Classify: func(Answer) *events.Failure {
						switch {
						case now.fine:
							return nil
						case write:
							return &events.Failure{Kind: events.Uncertain}
						}
						return &events.Failure{Kind: events.Unavailable}
					}})
				}
				if got := l.State("x").Breaker == "open"; got != tc.opens {
					t.Errorf("%s, write %v: open %v, want %v", name, write, got, tc.opens)
				}
			})
		}
	}
}

// While a breaker is half-open any order's failure opens it again; until a success
// the API is in doubt.
func TestBreakerProbesWithAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &events.Failure{Kind: events.Unavailable}
		l := newAccount(t, AccountOptions{Vendor: "weiban", HTTP: client(quick), Breaker: BreakerSettings{Failures: 2, OpenFor: 20 * time.Second}})
		ask := func(order string) {
			_, _ = l.Do(t.Context(), Call{API: "x", About: order, Request: get, Classify: func(Answer) *events.Failure { return f }})
		}
		if l.State("x").Doubted {
			t.Error("in doubt before any call")
		}
		ask("a")
		if s := l.State("x"); !s.Doubted || s.Breaker != "closed" {
			t.Errorf("after one order's failure: %+v", s)
		}
		ask("b")
		for range 3 {
			<-time.After(21 * time.Second)
			if ask("a"); l.State("x").Breaker != "open" {
				t.Fatal("a failed probe does not open it again")
			}
		}
		<-time.After(21 * time.Second)
		f = nil
		ask("a")
		if s := l.State("x"); s.Doubted || s.Breaker != "closed" {
			t.Errorf("after a success: %+v", s)
		}
		f = &events.Failure{Kind: events.Unavailable}
		for range 9 { // once in a minute each
			<-time.After(61 * time.Second)
			ask("a")
		}
		if s := l.State("x"); !s.Doubted || s.Breaker != "closed" {
			t.Errorf("one order, once a minute: %+v", s)
		}
	})
}

// TestControl: what a failed read is, by how the API answers for the order before.
func TestControl(t *testing.T) {
	const api = "weiban detail"
	fail := func(k events.Kind, status int) error {
		return &events.Failure{Kind: k, API: api, Status: status, Reason: "no code", Err: ErrOpen}
	}
	page := fail(events.Unavailable, 200)
	for name, tc := range map[string]struct {
		order string // that was read before, "" for none
		err   error  // of the read
		now   error  // of the order before, asked again
		want  events.Kind
		asked int
	}{
		"others are answered":       {"b", page, nil, events.Invalid, 1},
		"another one is gone":       {"b", page, fail(events.Missing, 200), events.Invalid, 1},
		"nobody is answered":        {"b", page, page, events.Unavailable, 1},
		"the other is not asked":    {"b", page, fail(events.Throttled, 0), events.Unavailable, 1},
		"nothing is known":          {"", page, nil, events.Unavailable, 0},
		"itself was answered once":  {"a", page, nil, events.Unavailable, 0},
		"a server error of its own": {"b", fail(events.Unavailable, 502), nil, events.Unavailable, 1},
		"no answer":                 {"b", fail(events.Unavailable, 0), nil, events.Unavailable, 0},
		"a business refusal":        {"b", fail(events.Rejected, 200), nil, events.Rejected, 0},
		"another API's failure":     {"b", &events.Failure{Kind: events.Unavailable, API: "weiban token", Status: 200}, nil, events.Unavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, asked := &Control{}, 0
			again := func(context.Context) error { asked++; return tc.now }
			if tc.order != "" {
				if err := c.Judge(t.Context(), api, tc.order, nil, again); err != nil {
					t.Fatal(err)
				}
			}
			err := c.Judge(t.Context(), api, "a", tc.err, nil)
			if got := events.KindOf(err); got != tc.want || asked != tc.asked {
				t.Errorf("kind %s after %d calls, want %s after %d", got, asked, tc.want, tc.asked)
			}
			if one := tc.want == events.Invalid; OneOrders(err) != one || one && !errors.Is(err, ErrOpen) {
				t.Errorf("the failure %v has lost its cause, or is not marked", err)
			}
		})
	}
}

// The order that fails may itself be the last one that was answered: then the one
// before it is asked.
func TestControlKeepsTwoOrders(t *testing.T) {
	c, asked := &Control{}, ""
	for _, order := range []string{"a", "b", "c", "b", "b"} {
		_ = c.Judge(t.Context(), "x", order, nil, func(context.Context) error { asked = order; return nil })
	}
	for order, want := range map[string]string{"b": "c", "c": "b", "d": "b"} {
		err := c.Judge(t.Context(), "x", order, &events.Failure{Kind: events.Unavailable, API: "x", Status: 200}, nil)
		if asked != want || !OneOrders(err) {
			t.Errorf("for %s, %q was asked, want %q: %v", order, asked, want, err)
		}
	}
}
