package connectors

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
)

// trip is a vendor without a network, for tests in which time is not real.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func quick(*http.Request) (*http.Response, error) { return answer(200, "{}"), nil }

// lasting answers after d, unless the call ends first.
func lasting(d time.Duration) trip {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return answer(200, "{}"), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func get(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, "https://vendor.example/x?access_token=sesame", http.NoBody)
}

func client(f trip) *http.Client { return &http.Client{Transport: f} }

func read(api string) Call { return Call{API: api, Request: get} }

// TestPoolsAndSlots: APIs of one pool share its pace, all APIs share the slots, a
// share is bounded within them, and one API's queue does not hold up another.
func TestPoolsAndSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		l := newAccount(t, AccountOptions{
			Vendor: "weiban", InFlight: 4, Shares: map[string]int{"polling": 1},
			Rate: func(api string) Rate {
				if api == "slow" {
					return Rate{PerMinute: 6}
				}
				return Rate{Pool: "rest"}
			},
			HTTP: client(func(r *http.Request) (*http.Response, error) {
				n := now.Add(1)
				defer now.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				return lasting(time.Second)(r)
			}),
		})
		var wg sync.WaitGroup
		took := make(map[string]time.Duration)
		var mu sync.Mutex
		run := func(n int, c Call) {
			begun := time.Now()
			for range n {
				wg.Go(func() {
					if _, err := l.Do(t.Context(), c); err != nil {
						t.Error(err)
					}
					mu.Lock()
					took[c.API+c.Share] = time.Since(begun)
					mu.Unlock()
				})
			}
		}
		run(7, read("slow"))
		synctest.Wait()
		run(40, read("quick"))
		run(5, Call{API: "list", Share: "polling", Request: get})
		wg.Wait()
		if most.Load() != 4 {
			t.Errorf("%d calls in progress at once, want 4", most.Load())
		}
		// One waiting slow call holds one slot at most: 3 are left for 45 calls.
		if took["quick"] > 17*time.Second {
			t.Errorf("the quick api took %v behind the slow one", took["quick"])
		}
		if took["slow"].Round(time.Second) != 71*time.Second { // a new account has no call at once
			t.Errorf("7 calls at 6 a minute took %v", took["slow"])
		}
		if took["listpolling"] < 5*time.Second {
			t.Errorf("5 polling calls took %v: more than one at a time", took["listpolling"])
		}
	})
}

// TestPause: a throttle pauses that API alone; a short pause is sat out, a long
// one is answered at once, and a queue finds it out without calling.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		l := newAccount(t, AccountOptions{Vendor: "weiban", InFlight: 1, HTTP: client(func(r *http.Request) (*http.Response, error) {
			calls++
			if calls == 1 {
				<-time.After(time.Second)
				r := answer(429, "")
				r.Header.Set("Retry-After", "60")
				return r, nil
			}
			return quick(nil)
		})})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := l.Do(t.Context(), read("detail"))
				if f := events.FailureOf(err); f == nil || f.Kind != events.Throttled || f.Wait != time.Minute {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		_, err := l.Do(t.Context(), read("detail"))
		if !errors.Is(err, ErrPaused) || calls != 1 {
			t.Errorf("a paused api answered %v after %d calls", err, calls)
		}
		if _, err := l.Do(t.Context(), read("other")); err != nil {
			t.Errorf("another api: %v", err)
		}
		<-time.After(57 * time.Second)
		if got, want := time.Until(l.State("detail").PausedUntil), 3*time.Second; got != want {
			t.Errorf("paused for another %v, want %v", got, want)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Do(short, read("detail")); events.KindOf(err) != events.Throttled || calls != 2 {
			t.Errorf("a caller with a second left: %v", err)
		}
		begun := time.Now()
		if _, err := l.Do(t.Context(), read("detail")); err != nil || time.Since(begun) != 3*time.Second {
			t.Errorf("a short pause: %v after %v", err, time.Since(begun))
		}
	})
}

// TestBreaker: which outcomes open it, what it answers then, and its probe.
func TestBreaker(t *testing.T) {
	fail := func(k events.Kind) *events.Failure { return &events.Failure{Kind: k} }
	for _, tc := range []struct {
		kind  events.Kind
		write bool
		opens bool
	}{
		{events.Unavailable, false, true},
		{events.Uncertain, true, true},
		{events.Rejected, false, false},
		{events.Missing, false, false},
		{events.Denied, false, false},
		{events.Internal, false, false},
	} {
		t.Run(string(tc.kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var verdict *events.Failure
				calls := 0
				l := newAccount(t, AccountOptions{
					Vendor: "kingdee", Breaker: BreakerSettings{Failures: 3, OpenFor: 20 * time.Second},
					HTTP: client(func(r *http.Request) (*http.Response, error) { calls++; return quick(r) }),
				})
				c := Call{API: "x", Request: get, Write: tc.write, Classify: func(Answer) *events.Failure { return verdict }}
				verdict = fail(tc.kind)
				for range 3 {
					_, err := l.Do(t.Context(), c)
					if got := events.KindOf(err); got != tc.kind {
						t.Fatalf("kind %q", got)
					}
				}
				if got := l.State("x").Breaker == "open"; got != tc.opens {
					t.Fatalf("open = %v, want %v", got, tc.opens)
				}
				if !tc.opens {
					return
				}
				_, err := l.Do(t.Context(), c)
				f := events.FailureOf(err)
				if !errors.Is(err, ErrOpen) || f.Kind != events.Unavailable || calls != 3 {
					t.Errorf("an open breaker let %d calls through: %v", calls, err)
				}
				<-time.After(f.Wait)
				if _, err := l.Do(t.Context(), c); errors.Is(err, ErrOpen) || calls != 4 {
					t.Errorf("no probe after the wait: %v", err)
				}
				<-time.After(21 * time.Second)
				verdict = nil
				if _, err := l.Do(t.Context(), c); err != nil || l.State("x").Breaker != "closed" {
					t.Errorf("after a good probe: %v, %s", err, l.State("x").Breaker)
				}
			})
		})
	}
}

// TestEnds: what a call is that ends before, during or without its answer. The
// transport is a foreign one, so a write counts as sent unless it never dialled.
func TestEnds(t *testing.T) {
	type end struct {
		Kind   events.Kind
		Reason string
	}
	cancelled := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(d, cancel)
			return ctx, cancel
		}
	}
	deadline := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	for _, tc := range []struct {
		name  string
		write bool
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		trip  trip
		want  end
	}{
		{"read, too slow", false, deadline(time.Hour), lasting(time.Minute), end{events.Unavailable, "no answer in time"}},
		{"write, too slow", true, deadline(time.Hour), lasting(time.Minute), end{events.Uncertain, "no answer after the request had left: no answer in time"}},
		{"read, cancelled", false, cancelled(time.Second), lasting(10 * time.Second), end{events.Interrupted, "stopped by the caller"}},
		{"write, cancelled", true, cancelled(time.Second), lasting(10 * time.Second), end{events.Uncertain, "no answer after the request had left: stopped by the caller"}},
		{"read, deadline", false, deadline(time.Second), lasting(10 * time.Second), end{events.Unavailable, "the caller's time ran out"}},
		{"cancelled before", true, cancelled(0), quick, end{events.Interrupted, "stopped before anything was sent"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tc.ctx(t.Context())
				defer cancel()
				if tc.name == "cancelled before" {
					<-time.After(time.Millisecond)
				}
				l := newAccount(t, AccountOptions{Vendor: "v", HTTP: client(tc.trip), Breaker: BreakerSettings{Failures: 1}})
				_, err := l.Do(ctx, Call{API: "x", Request: get, Write: tc.write})
				f := events.FailureOf(err)
				if diff := cmp.Diff(tc.want, end{f.Kind, f.Reason}); diff != "" {
					t.Error(diff)
				}
				// What the caller ended says nothing about the vendor.
				want := "closed"
				if ctx.Err() == nil {
					want = "open"
				}
				if got := l.State("x").Breaker; got != want {
					t.Errorf("breaker %s, want %s", got, want)
				}
			})
		})
	}
}

// TestFaultsOfOurs: a Request that fails, panics of a table, and a Request that
// calls its own account neither reach the vendor wrongly nor hang.
func TestFaultsOfOurs(t *testing.T) {
	l := newAccount(t, AccountOptions{Vendor: "v", HTTP: client(quick), InFlight: 1})
	bomb := func(Answer) *events.Failure { panic("index out of range") }
	for _, tc := range []struct {
		name string
		call Call
		want events.Kind
	}{
		{"request fails", Call{Request: func(context.Context) (*http.Request, error) { return nil, errors.New("no base") }}, events.Internal},
		{"request says why", Call{Request: func(context.Context) (*http.Request, error) {
			return nil, &events.Failure{Kind: events.Denied}
		}}, events.Denied},
		{"request calls the account", Call{Request: func(ctx context.Context) (*http.Request, error) {
			_, err := l.Do(ctx, read("token"))
			return nil, err
		}}, events.Internal},
		{"table panics on a read", Call{Request: get, Classify: bomb}, events.Internal},
		{"table panics on a write", Call{Request: get, Write: true, Classify: bomb}, events.Uncertain},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.call.API = "x"
			_, err := l.Do(t.Context(), tc.call)
			if got := events.KindOf(err); got != tc.want {
				t.Errorf("kind %q, want %q: %v", got, tc.want, err)
			}
			if api := events.FailureOf(err).API; api == "" {
				t.Error("the failure names no api")
			}
		})
	}
	if _, err := l.Do(t.Context(), read("x")); err != nil {
		t.Errorf("a slot was lost: %v", err)
	}
}

// A write whose turn comes right before its deadline is not begun: it would only be
// in doubt. A read is.
func TestNoWriteIsBegunAtItsDeadline(t *testing.T) {
	for write, want := range map[bool]int64{true: 1, false: 2} {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			l := newAccount(t, AccountOptions{
				Vendor: "kingdee", Timeout: 30 * time.Second, Rate: func(string) Rate { return Rate{PerMinute: 4, Burst: 1} },
				HTTP: client(func(r *http.Request) (*http.Response, error) { sent.Add(1); return lasting(2 * time.Second)(r) }),
			})
			c := Call{API: "handle-order", Request: get, Write: write}
			do := func(d time.Duration) *events.Failure {
				ctx, cancel := context.WithTimeout(t.Context(), d)
				defer cancel()
				_, err := l.Do(ctx, c)
				return events.FailureOf(err)
			}
			if f := do(time.Minute); f != nil {
				t.Fatal(f)
			}
			f := do(17 * time.Second) // its turn comes after 13 s
			if n := sent.Load(); n != want {
				t.Fatalf("write %t: %d sent, want %d: %v", write, n, want, f)
			}
			if write && (f == nil || f.Kind != events.Throttled || !errors.Is(f, ErrPaused)) {
				t.Fatalf("held back as %v", f)
			}
			if write && !l.State("handle-order").PausedUntil.IsZero() {
				t.Fatal("the API is paused for it")
			}
		})
	}
}
