package proof

import (
	"slices"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/script"
)

// tally keeps every call that came to Kingdee.
type tally struct {
	mu sync.Mutex
	at []moment
}

// moment is one call, as the vendor saw it.
type moment struct {
	api          string
	began, ended time.Time
	ok           bool
}

func (s *tally) see(e script.Event) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, moment{e.API, now.Add(-e.Took), now, e.Outcome == "ok"})
}

// since are an API's calls that began then or later, in the order in which they did.
func (s *tally) since(then time.Time, api string) []moment {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.DeleteFunc(slices.Clone(s.at), func(m moment) bool { return m.began.Before(then) || api != "" && m.api != api })
	slices.SortFunc(out, func(a, b moment) int { return a.began.Compare(b.began) })
	return out
}

// busiest is the most calls that began in any span since then, and how many there
// were in all.
func (s *tally) busiest(then time.Time, span time.Duration) (most, all int) {
	calls := s.since(then, "")
	first := 0
	for n, m := range calls {
		for m.began.Sub(calls[first].began) > span {
			first++
		}
		most = max(most, n-first+1)
	}
	return most, len(calls)
}

// tripped is when an API's failures in a row since then were so many that its
// breaker opened; false if they never were.
func (s *tally) tripped(then time.Time, api string, failures int) (time.Time, bool) {
	row := 0
	for _, m := range s.since(then, api) {
		row++
		if m.ok {
			row = 0
		}
		if row == failures {
			return m.ended, true
		}
	}
	return time.Time{}, false
}

// probes are an API's calls behind a breaker that is open from then on, up to the
// first that succeeds: each must go alone, and no sooner than the breaker allows
// after the one before.
func (s *tally) probes(t *testing.T, then time.Time, api string, open time.Duration) (n int) {
	t.Helper()
	calls := s.since(then, api)
	for i, m := range calls {
		n++
		for _, other := range calls[i+1:] {
			if other.began.Before(m.ended) {
				t.Errorf("%s: a call came %v after a probe had begun that took %v", api, other.began.Sub(m.began), m.ended.Sub(m.began))
			}
		}
		if i > 0 && m.began.Sub(calls[i-1].ended) < open {
			t.Errorf("%s: a probe came %v after the one before, the breaker is open for %v", api, m.began.Sub(calls[i-1].ended), open)
		}
		if m.ok {
			return n
		}
	}
	return n
}
