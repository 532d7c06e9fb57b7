package fakekingdee

import (
	"time"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Limits are the gateway's known limits for one account set.
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
type Breach = fakevendor.Breach

// Calls counts the calls of one API.
type Calls = fakevendor.Calls

// enter counts a call and refuses one that is too many.
func (s *Server) enter(api string) (refusal *script.Answer, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Clock()
	s.Count(api, func(n *Calls) { n.Total++ })
	ok := true
	switch api {
	case APIAuthorise:
	case APIToken:
		ok = s.tokenRuns.Add(now)
	default:
		ok = s.calls.Add(now)
	}
	if ok {
		return nil, nil
	}
	s.Breach(Breach{At: now, API: api})
	a := gatewayFault(5007)
	return &a, nil
}
