package connectors

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"gongdan-bridge/internal/events"
)

// BreakerSettings says when an API counts as down: after so many failures within a
// minute, with no success between. What counts:
//
//   - no answer (no connection, no TLS, a time-out, half an answer) and an answer of
//     HTTP 5xx: always. They are about the API;
//   - any other answer that gives no outcome, such as a page where JSON was to be, or
//     an unknown general error: once a minute for each order ([Call.About]). A single order
//     says nothing about the API, however often it fails; different orders, one after
//     the other, say that it is down, as with a maintenance page of HTTP 200;
//   - refused credentials, a throttle, a call that was not sent: not at all, neither
//     as failure nor as success;
//   - every other answer is a success: the API is up that refuses an order.
type BreakerSettings struct {
	Failures int           // in a row
	OpenFor  time.Duration // until one probe is let through
}

// window is how long a failure counts.
const window = time.Minute

// Weights of an outcome for the breaker.
var (
	errDown   = errors.New("counts as a failure")
	errNoWord = errors.New("says nothing about the api")
)

func newBreaker(b BreakerSettings, e *endpoint) *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Interval:     window,
		BucketPeriod: window / 6,
		Timeout:      b.OpenFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= b.Failures },
		IsExcluded:   func(err error) bool { return errors.Is(err, errNoWord) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			e.suspects.forget() // the probe counts, whichever order it is about
			if to == gobreaker.StateOpen {
				e.openUntil.Store(time.Now().Add(b.OpenFor).UnixNano())
			}
		},
	})
}

// weigh says what an outcome tells the breaker about the API.
func (e *endpoint) weigh(ctx context.Context, c Call, a Answer, f *events.Failure) error {
	switch {
	case f == nil:
		e.suspects.success()
		return nil
	case ctx.Err() != nil:
		return errNoWord
	}
	switch f.Kind {
	case events.Unavailable, events.Uncertain:
		if c.About != "" && answered(a.Status) && !e.suspects.add(c.About) {
			return errNoWord
		}
		return errDown
	case events.Missing, events.Rejected, events.Invalid:
		e.suspects.success()
		return nil // the vendor answered the question: it is up
	default:
		return errNoWord // the failure says nothing about the API
	}
}

// answered reports whether an HTTP status is one of an API that is up: what fails
// then may be the fault of what was asked.
func answered(status int) bool { return status > 0 && status < 500 }

// suspects are the orders whose answers gave no outcome since the API's last
// success, each with the time at which it was counted.
type suspects struct {
	mu     sync.Mutex
	orders map[string]time.Time
	doubt  bool // no success since one of them
}

// add is false for an order that was counted in this window.
func (s *suspects) add(order string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt = true
	now := time.Now()
	maps.DeleteFunc(s.orders, func(_ string, at time.Time) bool { return now.Sub(at) >= window })
	if _, ok := s.orders[order]; ok {
		return false
	}
	if s.orders == nil {
		s.orders = make(map[string]time.Time)
	}
	s.orders[order] = now
	return true
}

// forget lets every order be counted again.
func (s *suspects) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.orders)
}

// success ends the doubt.
func (s *suspects) success() {
	s.forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt = false
}

func (s *suspects) doubted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubt
}
