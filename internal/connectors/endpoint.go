package connectors

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sleep"
)

// Why a call was not sent, in a Failure's chain, so that a caller that waits can tell
// "the API is known to be down" from "this call failed".
var (
	ErrOpen   = errors.New("the breaker is open")
	ErrPaused = errors.New("the api is paused")
	errUnsent = errors.New("nothing was sent")
)

// Unsent reports of a Failure of [Account.Do] that no byte of the request can have
// reached the vendor. False is no proof that one did.
func Unsent(err error) bool {
	return errors.Is(err, ErrOpen) || errors.Is(err, ErrPaused) || errors.Is(err, errUnsent)
}

const (
	defaultPause = 10 * time.Second // a throttle that names no time
	probeWait    = time.Second      // while another call is the breaker's probe
)

// endpoint is one API of an account.
type endpoint struct {
	breaker   *gobreaker.CircuitBreaker[struct{}]
	suspects  suspects
	openUntil atomic.Int64 // unix ns, as of the breaker's last opening
	paused    atomic.Int64 // unix ns; 0 = not paused
	inFlight  atomic.Int64
	pool      *pool
}

func (acct *Account) endpoint(api string) *endpoint {
	acct.mu.Lock()
	defer acct.mu.Unlock()
	if e, ok := acct.endpoints[api]; ok {
		return e
	}
	r := acct.o.Rate(api)
	name := r.Pool
	if name == "" {
		name = "api " + api
	}
	p, ok := acct.pools[name]
	if !ok {
		p = newPool(r)
		acct.pools[name] = p
	}
	e := &endpoint{pool: p}
	e.breaker = newBreaker(acct.o.Breaker, e)
	acct.endpoints[api] = e
	acct.begin(api)
	return e
}

// admit waits for pause, slot and pace. What it returns must be called when the
// call is over.
func (acct *Account) admit(ctx context.Context, e *endpoint, c Call) (release func(), f *events.Failure) {
	for {
		if f := acct.clear(ctx, e); f != nil {
			return nil, f
		}
		release, f := acct.grant(ctx, e, c)
		if f != nil {
			return nil, f
		}
		// Others were answered while this call stood in the queue.
		if e.pausedFor() <= 0 && e.breaker.State() != gobreaker.StateOpen {
			return release, nil
		}
		release()
	}
}

// clear sits out a short pause and refuses a long one, or an open breaker.
func (acct *Account) clear(ctx context.Context, e *endpoint) *events.Failure {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	if rest := e.pausedFor(); rest > 0 {
		if rest > acct.o.MaxWait || endsWithin(ctx, rest) {
			return &events.Failure{Kind: events.Throttled, Wait: rest, Reason: "the API is paused", Err: ErrPaused}
		}
		if !sleep.For(ctx, rest) {
			return stopped(ctx)
		}
	}
	if e.breaker.State() == gobreaker.StateOpen {
		return e.refusal()
	}
	return nil
}

func (acct *Account) grant(ctx context.Context, e *endpoint, c Call) (func(), *events.Failure) {
	var held []chan struct{}
	release := func() {
		for _, c := range held {
			<-c
		}
	}
	// A share's place comes first: a call that waits for it must hold nothing else.
	queue := []chan struct{}{e.pool.waiting, acct.slots}
	if s, ok := acct.shares[c.Share]; ok {
		queue = append([]chan struct{}{s}, queue...)
	}
	for _, place := range queue {
		select {
		case place <- struct{}{}:
			held = append(held, place)
		case <-ctx.Done():
			release()
			return nil, stopped(ctx)
		}
	}
	if f := e.pool.pace(ctx, acct.least(c)); f != nil {
		release()
		return nil, f
	}
	<-e.pool.waiting
	held = append(held[:len(held)-2], acct.slots)
	return release, nil
}

// least is the time that must be left when a call is let go. A write that is begun
// right before its deadline is only put in doubt.
func (acct *Account) least(c Call) time.Duration {
	if c.Write {
		return acct.o.Timeout / 5
	}
	return 0
}

// pausedFor is how long the API is still paused. The first caller after a
// pause empties the pool: how the vendor counted what led to the pause is not known.
func (e *endpoint) pausedFor() time.Duration {
	until := e.paused.Load()
	if until == 0 {
		return 0
	}
	rest := time.Until(time.Unix(0, until))
	if rest <= 0 {
		e.pool.empty()
		e.paused.CompareAndSwap(until, 0)
	}
	return rest
}

func (e *endpoint) pause(d time.Duration) {
	until := time.Now().Add(d).UnixNano()
	for {
		old := e.paused.Load()
		if old >= until || e.paused.CompareAndSwap(old, until) {
			return
		}
	}
}

// refusal is why the breaker lets nothing through.
func (e *endpoint) refusal() *events.Failure {
	wait := time.Until(time.Unix(0, e.openUntil.Load())) + time.Millisecond
	if wait <= 0 {
		wait = probeWait
	}
	return &events.Failure{Kind: events.Unavailable, Wait: wait, Reason: "the API is down: its breaker is open", Err: ErrOpen}
}

// stopped is a call that ended with its context, before anything was sent.
func stopped(ctx context.Context) *events.Failure {
	err := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &events.Failure{Kind: events.Unavailable, Reason: "the caller's time ran out before anything was sent", Err: errors.Join(errUnsent, opaque("deadline", err))}
	}
	return &events.Failure{Kind: events.Interrupted, Reason: "stopped before anything was sent", Err: errors.Join(errUnsent, opaque("stopped", err))}
}

func endsWithin(ctx context.Context, d time.Duration) bool {
	end, ok := ctx.Deadline()
	return ok && d > 0 && time.Until(end) < d
}
