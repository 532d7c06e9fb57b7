package connectors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/events"
)

// LineOptions says whose line it is and what the vendor allows. Vendor and every bound
// must be given; the other fields may be zero.
type LineOptions struct {
	Vendor      string                // "weiban" or "kingdee"
	Tenant      string                // for spans only
	HTTP        *http.Client          // only its Transport is used; nil = a sound one
	InFlight    int                   // calls in progress over all APIs
	Shares      map[string]int        // of InFlight, how many the calls of one Call.Share may hold
	Rate        func(api string) Rate // nil = not paced
	Timeout     time.Duration         // of one call, from first byte out to last byte in. Dialling has as long again at most
	ReadTimeout time.Duration         // of a call that only reads
	MaxBody     int64                 // bytes of an answer
	MaxWait     time.Duration         // the longest pause that Do sits out itself; negative = none
	Breaker     BreakerSettings       // there is one breaker an API

	// Before is asked right before a call starts, and for a write once more on the
	// connection, right before the first byte of the request. Its error keeps the
	// request from being sent: Interrupted, or the *events.Failure that it returns.
	// It must be quick and make no calls.
	Before func(context.Context) error

	Tracer trace.TracerProvider // nil = the global one
	Meter  metric.MeterProvider // nil = the global one
}

// Call is one request to the vendor.
type Call struct {
	API string // short, stable, secret-free: "workorder/detail"

	// Request builds the request once slot and pace are granted. It must not call
	// the same Line (a token is fetched before Do, or four waiting calls would
	// hold all the slots that the fetch needs): such a call is refused as Internal.
	Request func(ctx context.Context) (*http.Request, error)

	About    string                       // the order that it is about, for the breaker; "" = none: see BreakerSettings
	Write    bool                         // its effect cannot be repeated: no answer after the first byte is Uncertain
	Share    string                       // see LineOptions.Shares; "" = none
	Classify func(Answer) *events.Failure // reads the outcome; nil result = success; nil func = by HTTP status
	MaxBody  int64                        // 0 = the Line's
	Timeout  time.Duration                // 0 = the Line's
}

// Answer is what the vendor said, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// State is how an API of the line stands.
type State struct {
	Breaker     string    // "closed", "open" or "half-open"
	PausedUntil time.Time // zero = not paused
	Doubted     bool      // of some order no answer gave an outcome, and since then no call has shown that the API is up
	InFlight    int       // calls of this API on the wire
}

// Line is one vendor account's line out. Everything that calls that account goes
// through the same Line: its limits are only as good as that. Safe for concurrent
// use.
type Line struct {
	o      LineOptions
	reads  http.RoundTripper
	writes http.RoundTripper // a fresh connection for every request
	known  bool              // writes goes over connections of ours, that know of the first byte
	slots  chan struct{}
	shares map[string]chan struct{}
	meters meters
	tracer trace.Tracer

	mu    sync.Mutex
	lanes map[string]*lane
	pools map[string]*pool
}

// NewLine makes a Line; the error names what o lacks.
func NewLine(o LineOptions) (*Line, error) {
	if o.Vendor == "" || min(int64(o.InFlight), int64(o.Timeout), int64(o.ReadTimeout), o.MaxBody, int64(o.Breaker.Failures), int64(o.Breaker.OpenFor)) <= 0 || o.MaxWait == 0 {
		return nil, errors.New("line to a vendor: the vendor's name and every bound are needed")
	}
	if o.Rate == nil {
		o.Rate = func(string) Rate { return Rate{} }
	}
	if o.Before == nil {
		o.Before = func(context.Context) error { return nil }
	}
	l := &Line{
		o:      o,
		slots:  make(chan struct{}, o.InFlight),
		shares: make(map[string]chan struct{}, len(o.Shares)),
		meters: newMeters(o.Meter),
		tracer: newTracer(o.Tracer),
		lanes:  make(map[string]*lane),
		pools:  make(map[string]*pool),
	}
	for name, n := range o.Shares {
		l.shares[name] = make(chan struct{}, max(n, 1))
	}
	l.reads, l.writes, l.known = transports(o.HTTP, o.InFlight)
	return l, nil
}

// Do makes one call and never repeats it. The order is: pause, in-flight slot,
// pace, breaker, HTTP, outcome. An error is always an *events.Failure:
//
//   - Throttled: the API is paused for longer than MaxWait ([ErrPaused]), there is
//     no free place before ctx ends, or for a write none with a fifth of Timeout
//     left, or the vendor says so, which pauses the API;
//   - Unavailable: nothing ran (no connection, breaker open: [ErrOpen]), or, of a
//     read, no usable answer;
//   - Uncertain: a write whose first byte had left, and no usable answer;
//   - Interrupted: ctx was cancelled, or Before refused, and no write had begun;
//   - what Call.Classify makes of the answer, which is then returned too.
func (l *Line) Do(ctx context.Context, c Call) (Answer, error) {
	ctx, s := l.sight(ctx, c)
	a, f := l.do(ctx, c, s)
	if f != nil {
		f = l.named(f, c, a)
	}
	s.end(ctx, a, f)
	if f != nil {
		return a, f
	}
	return a, nil
}

func (l *Line) do(ctx context.Context, c Call, s *sight) (a Answer, f *events.Failure) {
	if ctx.Value(insideKey{}) == l {
		return a, &events.Failure{Kind: events.Internal, Reason: "a call's Request must not call its own line"}
	}
	ln := l.lane(c.API)
	release, f := l.admit(ctx, ln, c)
	if f != nil {
		return a, f
	}
	defer release()
	s.admitted()
	_, err := ln.breaker.Execute(func() (struct{}, error) {
		a, f = l.exchange(ctx, ln, c, s)
		return struct{}{}, ln.weigh(ctx, c, a, f)
	})
	if f == nil && err != nil {
		return a, ln.refusal()
	}
	if f != nil && f.Kind == events.Throttled {
		if f.Wait <= 0 {
			f.Wait = defaultPause
		}
		ln.pause(f.Wait)
	}
	return a, f
}

// named fills in what the place of the call knows, on a copy.
func (l *Line) named(f *events.Failure, c Call, a Answer) *events.Failure {
	g := *f
	if g.API == "" {
		g.API = l.o.Vendor + " " + c.API
	}
	if g.Status == 0 {
		g.Status = a.Status
	}
	return &g
}

// Pause keeps an API from being called for d; a longer pause that is under way
// stays.
func (l *Line) Pause(api string, d time.Duration) { l.lane(api).pause(d) }

// State tells how an API stands; an API that was never called is closed and free.
func (l *Line) State(api string) State {
	ln := l.lane(api)
	s := State{Breaker: ln.breaker.State().String(), Doubted: ln.suspects.doubted(), InFlight: int(ln.inFlight.Load())}
	if rest := ln.pausedFor(); rest > 0 {
		s.PausedUntil = time.Now().Add(rest)
	}
	return s
}

// Unlisted counts an answer whose code no table of the vendor's client lists.
func (l *Line) Unlisted(ctx context.Context, api string) {
	l.meters.unlisted.Add(ctx, 1, metric.WithAttributes(l.labels(api)...))
}

// Close closes idle connections. Calls in progress go on.
func (l *Line) Close() {
	for _, rt := range []http.RoundTripper{l.reads, l.writes} {
		if t, ok := rt.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// String names the line, and keeps its options out of a log.
func (l *Line) String() string { return fmt.Sprintf("line to %s of %s", l.o.Vendor, l.o.Tenant) }
