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

// Why a call was not sent, in a Failure's chain, so that whoever waits can tell
// "the API is known to be down" from "this call failed".
var (
	ErrOpen   = errors.New("the breaker is open")
	ErrPaused = errors.New("the api is paused")
	errUnsent = errors.New("nothing was sent")
)

// Unsent reports of a Failure of [Line.Do] that no byte of the request can have
// reached the vendor. False is no proof that one did.
func Unsent(err error) bool {
	return errors.Is(err, ErrOpen) || errors.Is(err, ErrPaused) || errors.Is(err, errUnsent)
}

const (
	defaultPause = 10 * time.Second // a throttle that names no time
	probeWait    = time.Second      // while another call is the breaker's probe
)

// lane is one API of a line.
type lane struct {
	breaker   *gobreaker.CircuitBreaker[struct{}]
	suspects  suspects
	openUntil atomic.Int64 // unix ns, as of the breaker's last opening
	paused    atomic.Int64 // unix ns; 0 = not paused
	inFlight  atomic.Int64
	pool      *pool
}

func (l *Line) lane(api string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ln, ok := l.lanes[api]; ok {
		return ln
	}
	r := l.o.Rate(api)
	name := r.Pool
	if name == "" {
		name = "api " + api
	}
	p, ok := l.pools[name]
	if !ok {
		p = newPool(r)
		l.pools[name] = p
	}
	ln := &lane{pool: p}
	ln.breaker = newBreaker(l.o.Breaker, ln)
	l.lanes[api] = ln
	return ln
}

// admit waits for pause, slot and pace. What it returns must be called when the
// call is over.
func (l *Line) admit(ctx context.Context, ln *lane, c Call) (release func(), f *events.Failure) {
	for {
		if f := l.clear(ctx, ln); f != nil {
			return nil, f
		}
		release, f := l.grant(ctx, ln, c)
		if f != nil {
			return nil, f
		}
		// Others were answered while this call stood in the queue.
		if ln.pausedFor() <= 0 && ln.breaker.State() != gobreaker.StateOpen {
			return release, nil
		}
		release()
	}
}

// clear sits out a short pause and refuses a long one, or an open breaker.
func (l *Line) clear(ctx context.Context, ln *lane) *events.Failure {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	if rest := ln.pausedFor(); rest > 0 {
		if rest > l.o.MaxWait || endsWithin(ctx, rest) {
			return &events.Failure{Kind: events.Throttled, Wait: rest, Reason: "the API is paused", Err: ErrPaused}
		}
		if !sleep.For(ctx, rest) {
			return stopped(ctx)
		}
	}
	if ln.breaker.State() == gobreaker.StateOpen {
		return ln.refusal()
	}
	return nil
}

func (l *Line) grant(ctx context.Context, ln *lane, c Call) (func(), *events.Failure) {
	var held []chan struct{}
	release := func() {
		for _, c := range held {
			<-c
		}
	}
	// A share's places come first: its queue must hold neither turn nor slot.
	queue := []chan struct{}{ln.pool.turn, l.slots}
	if s, ok := l.shares[c.Share]; ok {
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
	if f := ln.pool.pace(ctx, l.least(c)); f != nil {
		release()
		return nil, f
	}
	<-ln.pool.turn
	held = append(held[:len(held)-2], l.slots)
	return release, nil
}

// least is the time that must be left when a call is let go. A write that is begun
// right before its deadline is only put in doubt.
func (l *Line) least(c Call) time.Duration {
	if c.Write {
		return l.o.Timeout / 5
	}
	return 0
}

// pausedFor is how long the API is still paused. Whoever finds a pause over empties
// the pool: how the vendor counted what led to the pause is not known.
func (ln *lane) pausedFor() time.Duration {
	until := ln.paused.Load()
	if until == 0 {
		return 0
	}
	rest := time.Until(time.Unix(0, until))
	if rest <= 0 {
		ln.pool.empty()
		ln.paused.CompareAndSwap(until, 0)
	}
	return rest
}

func (ln *lane) pause(d time.Duration) {
	until := time.Now().Add(d).UnixNano()
	for {
		old := ln.paused.Load()
		if old >= until || ln.paused.CompareAndSwap(old, until) {
			return
		}
	}
}

// refusal is why the breaker lets nothing through.
func (ln *lane) refusal() *events.Failure {
	wait := time.Until(time.Unix(0, ln.openUntil.Load())) + time.Millisecond
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
