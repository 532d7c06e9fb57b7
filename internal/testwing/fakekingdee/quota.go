package fakekingdee

import (
	"maps"
	"slices"
	"time"
)

// Limits are the gateway's limits for one account set, as far as they are known.
type Limits struct {
	PerMinute       int           // calls in any Minute, all APIs but the two that authorise
	TokensPerMinute int           // calls of kingdee_auth_token in any Minute
	Minute          time.Duration // on the simulator's clock
}

// KnownLimits are 500 calls and 2 token calls a minute.
func KnownLimits() Limits {
	return Limits{PerMinute: 500, TokensPerMinute: 2, Minute: time.Minute}
}

// Scaled makes the spans shorter by a factor and leaves the counts, so that
// runs that scale time meet the same rules.
func (l Limits) Scaled(factor int) Limits {
	l.Minute /= time.Duration(factor)
	return l
}

// Breach is one call more than a limit allows. It was refused with 5007.
type Breach struct {
	At  time.Time
	API string
}

// Calls counts the calls of one API.
type Calls struct {
	Total int // all that came
	OK    int // answered as a success
}

// enter counts a call and says whether the limits let it in.
func (s *Server) enter(api string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Clock()
	c := s.counts[api]
	c.Total++
	s.counts[api] = c
	ok := true
	switch api {
	case APIAuthorise:
	case APIToken:
		ok = s.tokenRuns.Add(now)
	default:
		ok = s.calls.Add(now)
	}
	if !ok {
		s.breaches = append(s.breaches, Breach{At: now, API: api})
	}
	return ok
}

// Breaches returns every breach so far, in time order.
func (s *Server) Breaches() []Breach {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.breaches)
}

// Calls returns the counts by API.
func (s *Server) Calls() map[string]Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}
