package fakeweiban

import (
	"time"

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
type Breach struct {
	At   time.Time
	API  string
	Rule string
}

// Calls counts the calls of one API.
type Calls struct {
	Total   int // all that came
	OK      int // answered with errcode 0
	Blocked int // refused because the API was shut
	Peak    int // most calls of all APIs in progress when one of this API came
}

// meter is what is known of one API's calls.
type meter struct {
	minute, hour script.Window
	shut         time.Time // until then
	calls        Calls
}

// Weiban's codes for calls that are too many.
const (
	codeConcurrency = 10052
	codeFrequency   = 10053
)

// enter counts a call in. A code other than 0 refuses it; it must then not be
// counted out by leave.
func (s *Server) enter(api string) (code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, m := s.o.Clock(), s.meter(api)
	m.calls.Total++
	m.calls.Peak = max(m.calls.Peak, s.inProgress+1)
	if now.Before(m.shut) {
		m.calls.Blocked++
		return codeFrequency
	}
	if !m.hour.Add(now) {
		m.shut = now.Add(s.o.Limits.HourBlock)
		s.breach(api, RulePerHour, now)
		return codeFrequency
	}
	if !m.minute.Add(now) {
		m.shut = now.Add(s.o.Limits.MinuteBlock)
		s.breach(api, RulePerMinute, now)
		return codeFrequency
	}
	if s.inProgress+1 >= s.o.Limits.InFlight {
		s.breach(api, RuleInFlight, now)
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

func (s *Server) breach(api, rule string, now time.Time) {
	s.breaches = append(s.breaches, Breach{At: now, API: api, Rule: rule})
}

// Breaches returns every breach so far, in time order.
func (s *Server) Breaches() []Breach {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Breach(nil), s.breaches...)
}

// Calls returns the counts by API.
func (s *Server) Calls() map[string]Calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]Calls, len(s.meters))
	for api, m := range s.meters {
		out[api] = m.calls
	}
	return out
}
