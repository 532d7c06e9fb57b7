package fakeweiban

import (
	"time"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Limits are Weiban's limits for one tenant (访问频率和并发限制, doc-382947).
type Limits struct {
	InFlight    int           // this many calls in progress, over all APIs, is one too many
	PerMinute   int           // calls of one API in any Minute
	PerHour     int           // calls of one API in any Hour
	Minute      time.Duration // the spans, on the simulator's clock
	Hour        time.Duration
	MinuteBlock time.Duration // how long an API is shut after a breach
	HourBlock   time.Duration
}

// DocumentedLimits are the limits as Weiban states them: 5 in progress, 600 a
// minute and 36,000 an hour per API, blocks of a minute and an hour.
func DocumentedLimits() Limits {
	return Limits{
		InFlight: 5, PerMinute: 600, PerHour: 36_000,
		Minute: time.Minute, Hour: time.Hour, MinuteBlock: time.Minute, HourBlock: time.Hour,
	}
}

// Scaled makes the spans and blocks shorter by a factor and leaves the counts,
// so that runs that scale time meet the same rules.
func (l Limits) Scaled(factor int) Limits {
	for _, d := range []*time.Duration{&l.Minute, &l.Hour, &l.MinuteBlock, &l.HourBlock} {
		*d /= time.Duration(factor)
	}
	return l
}

// Rules that a breach breaks.
const (
	RuleInFlight  = "in-flight"
	RulePerMinute = "per-minute"
	RulePerHour   = "per-hour"
)

// Breach is one time that a limit was broken. Calls refused by the block that
// follows are no breaches; they are counted in [Calls].Blocked.
type Breach = fakevendor.Breach

// Calls counts the calls of one API; OK are those answered with errcode 0.
type Calls = fakevendor.Calls

// meter counts the calls of one API.
type meter struct {
	minute, hour script.Window
	shut         time.Time // until then
}

// Weiban's codes for calls that are too many.
const (
	codeConcurrency = 10052
	codeFrequency   = 10053
)

// enter counts a call. A call that is let in gives its place back by leave.
func (s *Server) enter(api string) (refused *script.Answer, leave func()) {
	code := s.admit(api)
	if code == 0 {
		return nil, s.leave
	}
	a := refusal(code, "")
	return &a, nil
}

// admit gives a call its place; a code other than 0 refuses it.
func (s *Server) admit(api string) (code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, m := s.o.Clock(), s.meter(api)
	shut := now.Before(m.shut)
	s.Count(api, func(n *Calls) {
		n.Total++
		n.Peak = max(n.Peak, s.inProgress+1)
		if shut {
			n.Blocked++
		}
	})
	switch {
	case shut:
		return codeFrequency
	case !m.hour.Add(now):
		m.shut = now.Add(s.o.Limits.HourBlock)
		s.Breach(Breach{At: now, API: api, Rule: RulePerHour})
		return codeFrequency
	case !m.minute.Add(now):
		m.shut = now.Add(s.o.Limits.MinuteBlock)
		s.Breach(Breach{At: now, API: api, Rule: RulePerMinute})
		return codeFrequency
	case s.inProgress+1 >= s.o.Limits.InFlight:
		s.Breach(Breach{At: now, API: api, Rule: RuleInFlight})
		return codeConcurrency
	}
	s.inProgress++
	return 0
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inProgress--
}

// meter is called under the lock.
func (s *Server) meter(api string) *meter {
	m := s.meters[api]
	if m == nil {
		l := s.o.Limits
		m = &meter{
			minute: script.Window{Span: l.Minute, Limit: l.PerMinute},
			hour:   script.Window{Span: l.Hour, Limit: l.PerHour},
		}
		s.meters[api] = m
	}
	return m
}
