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

// AccountOptions says whose account it is and what the vendor allows. Vendor and every
// bound must be given; the other fields may be zero.
type AccountOptions struct {
	Vendor      string                // "weiban" or "kingdee"
	Tenant      string                // for spans only
	HTTP        *http.Client          // only its Transport is used; nil = a sound one
	InFlight    int                   // calls in progress over all APIs
	Shares      map[string]int        // of InFlight, how many the calls of one Call.Share may hold
	Rate        func(api string) Rate // nil = not paced
	Timeout     time.Duration         // of one call, from first byte out to last byte in. Dialling has as long again at most
	ReadTimeout time.Duration         // the same, of a call that only reads
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
	// the same Account (a token is fetched before Do, or four waiting calls would
	// hold all the slots that the fetch needs): such a call is refused as Internal.
	Request func(ctx context.Context) (*http.Request, error)

	About    string                       // the order that it is about, for the breaker; "" = none: see BreakerSettings
	Write    bool                         // its effect cannot be repeated: no answer after the first byte is Uncertain
	Share    string                       // see AccountOptions.Shares; "" = none
	Classify func(Answer) *events.Failure // reads the outcome; nil result = success; nil func = by HTTP status
	MaxBody  int64                        // 0 = the Account's
	Timeout  time.Duration                // 0 = the Account's
}

// Answer is what the vendor said, whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// State is how an API of the account stands.
type State struct {
	Breaker     string    // "closed", "open" or "half-open"
	PausedUntil time.Time // zero = not paused
	Doubted     bool      // of some order no answer gave an outcome, and since then no call has shown that the API is up
	InFlight    int       // calls of this API on the wire
}

// Account is the way out to one account at a vendor. Everything that calls it goes
// through the same Account: its limits are only as good as that. Safe for concurrent
// use.
type Account struct {
	o      AccountOptions
	reads  http.RoundTripper
	writes http.RoundTripper // a fresh connection for every request
	known  bool              // writes goes over connections of ours, that know of the first byte
	slots  chan struct{}
	shares map[string]chan struct{}
	meters meters
	tracer trace.Tracer

	mu        sync.Mutex
	endpoints map[string]*endpoint
	pools     map[string]*pool
}

// NewAccount makes an Account; the error says what o lacks.
func NewAccount(o AccountOptions) (*Account, error) {
	if o.Vendor == "" || min(int64(o.InFlight), int64(o.Timeout), int64(o.ReadTimeout), o.MaxBody, int64(o.Breaker.Failures), int64(o.Breaker.OpenFor)) <= 0 || o.MaxWait == 0 {
		return nil, errors.New("account at a vendor: the vendor's name and every bound are needed")
	}
	if o.Rate == nil {
		o.Rate = func(string) Rate { return Rate{} }
	}
	if o.Before == nil {
		o.Before = func(context.Context) error { return nil }
	}
	acct := &Account{
		o:         o,
		slots:     make(chan struct{}, o.InFlight),
		shares:    make(map[string]chan struct{}, len(o.Shares)),
		meters:    newMeters(o.Meter),
		tracer:    newTracer(o.Tracer),
		endpoints: make(map[string]*endpoint),
		pools:     make(map[string]*pool),
	}
	for name, n := range o.Shares {
		acct.shares[name] = make(chan struct{}, max(n, 1))
	}
	acct.reads, acct.writes, acct.known = transports(o.HTTP, o.InFlight)
	return acct, nil
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
func (acct *Account) Do(ctx context.Context, c Call) (Answer, error) {
	ctx, s := acct.span(ctx, c)
	a, f := acct.do(ctx, c, s)
	if f != nil {
		f = acct.named(f, c, a)
	}
	s.end(ctx, a, f)
	if f != nil {
		return a, f
	}
	return a, nil
}

func (acct *Account) do(ctx context.Context, c Call, s *callSpan) (a Answer, f *events.Failure) {
	if ctx.Value(insideKey{}) == acct {
		return a, &events.Failure{Kind: events.Internal, Reason: "a call's Request must not call its own account"}
	}
	e := acct.endpoint(c.API)
	release, f := acct.admit(ctx, e, c)
	if f != nil {
		return a, f
	}
	defer release()
	s.admitted()
	_, err := e.breaker.Execute(func() (struct{}, error) {
		a, f = acct.exchange(ctx, e, c, s)
		return struct{}{}, e.weigh(ctx, c, a, f)
	})
	if f == nil && err != nil {
		return a, e.refusal()
	}
	if f != nil && f.Kind == events.Throttled {
		if f.Wait <= 0 {
			f.Wait = defaultPause
		}
		e.pause(f.Wait)
	}
	return a, f
}

// named fills in what the place of the call knows, on a copy.
func (acct *Account) named(f *events.Failure, c Call, a Answer) *events.Failure {
	g := *f
	if g.API == "" {
		g.API = acct.o.Vendor + " " + c.API
	}
	if g.Status == 0 {
		g.Status = a.Status
	}
	return &g
}

// Pause keeps an API from being called for d; a longer pause that is under way
// stays.
func (acct *Account) Pause(api string, d time.Duration) { acct.endpoint(api).pause(d) }

// State tells how an API stands; an API that was never called is closed and free.
func (acct *Account) State(api string) State {
	e := acct.endpoint(api)
	s := State{Breaker: e.breaker.State().String(), Doubted: e.suspects.doubted(), InFlight: int(e.inFlight.Load())}
	if rest := e.pausedFor(); rest > 0 {
		s.PausedUntil = time.Now().Add(rest)
	}
	return s
}

// Unlisted counts an answer whose code no table of the vendor's client lists.
func (acct *Account) Unlisted(ctx context.Context, api string) {
	acct.meters.unlisted.Add(ctx, 1, metric.WithAttributes(acct.labels(api)...))
}

// Close closes idle connections. Calls in progress go on.
func (acct *Account) Close() {
	for _, rt := range []http.RoundTripper{acct.reads, acct.writes} {
		if t, ok := rt.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// String names the account, and keeps its options out of a log.
func (acct *Account) String() string {
	return fmt.Sprintf("account at %s of %s", acct.o.Vendor, acct.o.Tenant)
}
