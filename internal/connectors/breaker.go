package connectors

import (
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"gongdan-bridge/internal/events"
)

// BreakerSettings says when an API counts as down.
type BreakerSettings struct {
	Failures int           // in a row; default 5
	Ratio    float64       // of failures among at least MinCalls in Window; 0 = only Failures counts
	MinCalls int           // default 20
	Window   time.Duration // default 1 min
	OpenFor  time.Duration // until one probe is let through; default 30 s
}

// Weights of an outcome for the breaker.
var (
	errDown   = errors.New("counts as a failure")
	errNoWord = errors.New("says nothing about the api")
)

func newBreaker(b BreakerSettings, ln *lane) *gobreaker.CircuitBreaker[struct{}] {
	if b.Failures <= 0 {
		b.Failures = 5
	}
	if b.MinCalls <= 0 {
		b.MinCalls = 20
	}
	if b.Window <= 0 {
		b.Window = time.Minute
	}
	if b.OpenFor <= 0 {
		b.OpenFor = 30 * time.Second
	}
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Interval:     b.Window,
		BucketPeriod: b.Window / 6,
		Timeout:      b.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			if int(c.ConsecutiveFailures) >= b.Failures {
				return true
			}
			heard := c.TotalSuccesses + c.TotalFailures
			return b.Ratio > 0 && int(heard) >= b.MinCalls && float64(c.TotalFailures) >= b.Ratio*float64(heard)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoWord) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				ln.openUntil.Store(time.Now().Add(b.OpenFor).UnixNano())
			}
		},
	})
}

// weigh says what an outcome tells the breaker about the API.
func weigh(ctx context.Context, f *events.Failure) error {
	switch {
	case f == nil:
		return nil
	case ctx.Err() != nil:
		return errNoWord
	}
	switch f.Kind {
	case events.Unavailable, events.Uncertain:
		return errDown
	case events.Throttled, events.Denied, events.Interrupted, events.Internal:
		return errNoWord
	default:
		return nil // the vendor answered in its trade: it is up
	}
}
