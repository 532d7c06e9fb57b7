package connectors

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// mostInAMinute is the largest number of calls in any 60 s that slide with the
// calls, which no fixed minute can exceed.
func mostInAMinute(starts []time.Time) int {
	most := 0
	for i := range starts {
		end := starts[i].Add(time.Minute)
		n := slices.IndexFunc(starts[i:], func(s time.Time) bool { return !s.Before(end) })
		if n < 0 {
			n = len(starts) - i
		}
		most = max(most, n)
	}
	return most
}

// recorded is an account at a vendor that answers at once, and the times of its calls.
func recorded(t *testing.T, r Rate) (*Account, *[]time.Time) {
	var mu sync.Mutex
	starts := &[]time.Time{}
	return newAccount(t, AccountOptions{
		Vendor: "kingdee", Rate: func(string) Rate { return r },
		HTTP: client(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			*starts = append(*starts, time.Now())
			return quick(nil)
		}),
	}), starts
}

// TestPace: whatever the rate, however calls come, and whoever takes over from
// whom, no 60 s hold more calls than the rate allows.
func TestPace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perMinute := rapid.IntRange(1, 120).Draw(rt, "per minute")
		burst := rapid.IntRange(0, 10).Draw(rt, "burst")
		type part struct {
			process int  // which of two calls
			anew    bool // it has just been started
			rest    time.Duration
			calls   int
		}
		parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) part {
			return part{
				process: rapid.IntRange(0, 1).Draw(t, "process"), anew: rapid.Bool().Draw(t, "started"),
				rest:  time.Duration(rapid.IntRange(0, 90_000).Draw(t, "rest in ms")) * time.Millisecond,
				calls: rapid.IntRange(0, 40).Draw(t, "calls"),
			}
		}), 1, 12).Draw(rt, "parts")
		rate := Rate{Pool: "all", PerMinute: perMinute, Burst: burst}
		var starts []time.Time
		synctest.Test(t, func(*testing.T) {
			pools := [2]*pool{newPool(rate), newPool(rate)}
			last := -1
			for _, p := range parts {
				<-time.After(p.rest)
				if p.anew {
					pools[p.process] = newPool(rate)
				} else if p.process != last {
					pools[p.process].empty()
				}
				last = p.process
				for range p.calls {
					if f := pools[p.process].pace(context.Background(), 0); f != nil {
						rt.Fatal(f)
					}
					starts = append(starts, time.Now())
				}
			}
		})
		if n := mostInAMinute(starts); n > perMinute {
			rt.Fatalf("%d calls in 60 s, %d allowed", n, perMinute)
		}
	})
}

// A burst is collected in a rest, goes at once, and is part of the minute: a long
// backlog still uses nearly all of it.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, starts := recorded(t, Rate{PerMinute: 495})
		call := func(n int) (took time.Duration) {
			begun := time.Now()
			for range n {
				if _, err := l.Do(t.Context(), read("x")); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(begun)
		}
		if call(2) < 100*time.Millisecond {
			t.Error("a new account has a burst: the process before may have spent it")
		}
		<-time.After(2 * time.Second)
		if took := call(5); took != 0 {
			t.Errorf("a burst of five took %v", took)
		}
		if call(1) < 100*time.Millisecond {
			t.Error("a spent burst has a sixth call")
		}
		<-time.After(2 * time.Second)
		if took := call(5); took != 0 {
			t.Errorf("a burst collected anew took %v", took)
		}
		<-time.After(time.Hour)
		l.Empty()
		if call(2) < 200*time.Millisecond {
			t.Error("a burst after a takeover")
		}
		<-time.After(time.Hour)
		l.Pause("x", time.Minute)
		<-time.After(time.Hour)
		if call(2) < 200*time.Millisecond {
			t.Error("a burst after a pause")
		}
		begun := time.Now()
		call(4950)
		if share := 10 * time.Minute.Seconds() / time.Since(begun).Seconds(); share < 0.985 {
			t.Errorf("a backlog uses %.3f of the rate", share)
		}
		if n := mostInAMinute(*starts); n > 495 {
			t.Errorf("%d calls in 60 s", n)
		}
	})
}
