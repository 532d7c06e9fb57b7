package connectors

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"gongdan-bridge/internal/events"
)

// errTimeout is the cause of a call that took longer than AccountOptions.Timeout.
var errTimeout = errors.New("no answer in time")

// errGivenUp is what a connection gives to a request that is already given up.
var errGivenUp = errors.New("given up before the first byte")

type (
	insideKey struct{} // value: the *Account whose Request is running
	guardKey  struct{} // value: the *writeGuard that a connection is dialled for
)

// writeGuard knows of one request whether its first byte has left. Until it has, the
// request can still be held back; [writeGuard.close] ends that for good.
type writeGuard struct {
	before func() error
	exact  bool // a connection of ours asks before it writes

	mu      sync.Mutex
	gotConn bool
	wrote   bool
	closed  bool
	refused error // what before said
}

// connect notes that the connection is up: what it writes from now on is the request.
func (g *writeGuard) connect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gotConn = true
}

// allow is asked before bytes are written. An error means that they must not be.
func (g *writeGuard) allow() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.wrote:
		return nil
	case g.closed:
		return errGivenUp
	case !g.gotConn:
		return nil // TLS handshake
	}
	if err := g.before(); err != nil {
		g.closed, g.refused = true, err
		return err
	}
	g.wrote = true
	return nil
}

// close tells whether the request may have left, and lets nothing leave after it:
// net/http may return to us while its writing goroutine is only about to begin.
func (g *writeGuard) close(err error) (sent bool, refused error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.exact {
		return g.wrote, g.refused
	}
	op := (*net.OpError)(nil)
	dialling := errors.As(err, &op) && op.Op == "dial"
	return g.gotConn || !dialling, nil
}

// guardedConn asks its guard before it writes.
type guardedConn struct {
	net.Conn
	guard *writeGuard
}

func (c *guardedConn) Write(b []byte) (int, error) {
	if err := c.guard.allow(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// exchange is the call itself: build, send, read, classify.
func (acct *Account) exchange(ctx context.Context, e *endpoint, c Call, s *callSpan) (Answer, *events.Failure) {
	req, err := c.Request(context.WithValue(ctx, insideKey{}, acct))
	if err != nil {
		return Answer{}, acct.unbuilt(err)
	}
	if err := acct.o.Before(ctx); err != nil {
		return Answer{}, refusedBy(err)
	}
	e.inFlight.Add(1)
	defer e.inFlight.Add(-1)
	s.sending(req)
	a, f := acct.send(ctx, c, req)
	s.received(ctx)
	if f != nil {
		return a, f
	}
	return a, classify(c, a)
}

// send makes one round trip, redirects not followed, and reads the whole answer.
func (acct *Account) send(ctx context.Context, c Call, req *http.Request) (Answer, *events.Failure) {
	callCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bound := acct.o.ReadTimeout
	switch {
	case c.Timeout > 0:
		bound = c.Timeout
	case c.Write:
		bound = acct.o.Timeout
	}
	timer := time.AfterFunc(bound, func() { cancel(errTimeout) })
	defer timer.Stop()

	guard := &writeGuard{before: func() error { return acct.o.Before(ctx) }}
	rt := acct.reads
	if c.Write {
		rt, guard.exact = acct.writes, acct.known
		req.GetBody = nil // nothing below us may send it twice
		callCtx = context.WithValue(callCtx, guardKey{}, guard)
	}
	callCtx = httptrace.WithClientTrace(callCtx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		timer.Reset(bound)
		guard.connect()
	}})
	resp, err := rt.RoundTrip(req.WithContext(callCtx))
	if err != nil {
		sent, refused := guard.close(err)
		if refused != nil {
			return Answer{}, refusedBy(refused)
		}
		return Answer{}, broken(ctx, callCtx, err, c.Write, sent)
	}
	defer func() { _ = resp.Body.Close() }()
	limit := c.MaxBody
	if limit <= 0 {
		limit = acct.o.MaxBody
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	a.Body, err = ReadAll(resp.Body, limit)
	if err != nil {
		a.Body = nil // half an answer is none
		return a, broken(ctx, callCtx, err, c.Write, true)
	}
	return a, nil
}

// broken is a call that got no whole answer.
func broken(ctx, callCtx context.Context, err error, write, sent bool) *events.Failure {
	if cause := context.Cause(callCtx); cause != nil {
		err = cause // a timeout, rather than what the connection says after it
	}
	why := Phrase(err)
	f := &events.Failure{Kind: events.Unavailable, Reason: why, Err: opaque(why, err)}
	if !sent {
		f.Err = errors.Join(errUnsent, f.Err)
	}
	switch {
	case write && sent:
		f.Kind, f.Reason = events.Uncertain, "no answer after the request had left: "+why
	case errors.Is(ctx.Err(), context.Canceled):
		f.Kind = events.Interrupted
	}
	return f
}

// refusedBy is a call that AccountOptions.Before did not let go.
func refusedBy(err error) *events.Failure {
	f := (*events.Failure)(nil)
	if errors.As(err, &f) {
		return f
	}
	return &events.Failure{Kind: events.Interrupted, Reason: "held back before it was sent", Err: Scrub(err)}
}

func (acct *Account) unbuilt(err error) *events.Failure {
	f := (*events.Failure)(nil)
	if errors.As(err, &f) {
		return f
	}
	return &events.Failure{Kind: events.Internal, Reason: "the request could not be built", Err: Scrub(err)}
}

// classify asks the vendor's table. A panic in it must not turn a write that ran
// into one that looks as if it could be repeated.
func classify(c Call, a Answer) (f *events.Failure) {
	defer func() {
		if recover() == nil {
			return
		}
		f = &events.Failure{Kind: events.Internal, Reason: "the answer could not be judged"}
		if c.Write {
			f.Kind = events.Uncertain
		}
	}()
	if c.Classify != nil {
		return c.Classify(a)
	}
	return byStatus(c, a)
}

// byStatus judges by the HTTP status alone.
func byStatus(c Call, a Answer) *events.Failure {
	f := &events.Failure{Status: a.Status, Reason: "HTTP " + http.StatusText(a.Status)}
	switch {
	case a.Status/100 == 2:
		return nil
	case a.Status == http.StatusTooManyRequests:
		f.Kind, f.Wait = events.Throttled, RetryAfter(a.Header)
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		f.Kind = events.Denied
	case a.Status/100 == 4:
		f.Kind = events.Rejected
	case c.Write:
		f.Kind = events.Uncertain
	default:
		f.Kind = events.Unavailable
	}
	return f
}
