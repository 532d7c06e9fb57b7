package connectors

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sleep"
)

// Rate is how often an API may be called. All APIs that name the same Pool share
// one allowance; "" is the API's own.
//
// In no 60 s are there more than PerMinute calls, a Burst included: calls are
// spaced so that PerMinute-Burst+1 of them fill a minute, and after a rest as many
// as Burst go at once. A new [Account] has no burst, nor has one after [Account.Empty] or
// after a pause: it collects it first. So the limit holds over any number of owners
// that follow each other, each of which knows its own calls only.
type Rate struct {
	Pool      string
	PerMinute int // 0 = unlimited
	Burst     int // calls at once after a rest; default [DefaultBurst] of PerMinute
}

// DefaultBurst is five calls, or fewer where five would cost more than a fiftieth
// of the minute; at least one.
func DefaultBurst(perMinute int) int { return min(5, max(1, perMinute/50)) }

// pool is the pace that one or more endpoints share. One call at a time waits for
// it, so that an API's queue never holds the slots that other APIs could use.
type pool struct {
	waiting chan struct{} // semaphore of one
	limiter *rate.Limiter
}

func newPool(r Rate) *pool {
	p := &pool{waiting: make(chan struct{}, 1), limiter: rate.NewLimiter(rate.Inf, 1)}
	if r.PerMinute <= 0 {
		return p
	}
	burst := r.Burst
	if burst <= 0 {
		burst = DefaultBurst(r.PerMinute)
	}
	burst = min(burst, r.PerMinute)
	// A ten thousandth is left to rounding.
	p.limiter = rate.NewLimiter(rate.Limit(0.9999*float64(r.PerMinute-burst+1)/60), burst)
	p.empty()
	return p
}

// empty takes the calls that could be made at once. Those that wait for their place
// keep it.
func (p *pool) empty() {
	if p.limiter.Limit() == rate.Inf {
		return
	}
	now := time.Now()
	if left := int(math.Ceil(p.limiter.TokensAt(now))); left > 0 {
		p.limiter.ReserveN(now, left)
	}
}

// pace waits for the next place in the minute; not if too little time would be left.
func (p *pool) pace(ctx context.Context, least time.Duration) *events.Failure {
	place := p.limiter.Reserve()
	wait := place.Delay()
	if endsWithin(ctx, wait+least) {
		place.Cancel()
		return &events.Failure{Kind: events.Throttled, Wait: wait, Reason: "paced: no free place before the deadline", Err: ErrPaused}
	}
	if !sleep.For(ctx, wait) {
		place.Cancel()
		return stopped(ctx)
	}
	return nil
}

// Empty takes away the burst that the account has collected: another process may have
// called the account since, as before a takeover. Calls that wait for their place
// keep it.
func (acct *Account) Empty() {
	acct.mu.Lock()
	defer acct.mu.Unlock()
	for _, p := range acct.pools {
		p.empty()
	}
}
