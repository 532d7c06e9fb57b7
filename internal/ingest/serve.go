package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
)

// Words for the log and the metric where the connectors have none.
const (
	faultPath    = "path"    // no address of ours
	faultTenant  = "tenant"  // no tenant of that name, and so no key that could fit
	faultHead    = "head"    // net/http could not read the request, or had to wait too long for it
	faultEvicted = "evicted" // its connection was closed at a bound

	faultFull       = "full"        // stream CALLBACKS has no room
	faultBusy       = "busy"        // all places are taken
	faultEvent      = "event"       // the event could not be built
	faultNotDurable = "not durable" // JetStream did not confirm
)

// alarming are the results that alarms are built on.
func alarming() []string {
	return []string{faultFull, faultBusy, faultEvent, faultNotDurable, string(weiban.FaultSignature), string(weiban.FaultReceiver)}
}

// attempt is one request on its way through the endpoint; its fields become
// the one log line that the request leaves.
type attempt struct {
	start     time.Time
	tenant    string
	verified  bool // signed with a key of the tenant
	event     string
	id        string
	order     string
	sequence  uint64
	duplicate bool
	cause     error

	unnumbered string // why its order cannot be told
}

// ServeHTTP serves the endpoint: /weiban/{tenant}, and 404 for any other path. What does
// not verify costs no span and no place among the callbacks in flight.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := attempt{start: time.Now()}
	ctx := r.Context()
	c := connOf(ctx)
	c.heard(r.ContentLength == 0)
	t, text, a := e.open(w, r, c, &at)
	c.done()
	if a.fault == "" {
		at.verified = true
		var span trace.Span
		ctx, span = e.tracer.Start(ctx, knownMethod(r.Method)+" /weiban/{tenant}", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at.start))
		defer span.End()
		if r.Method == http.MethodGet {
			a = echo(text, &at)
		} else {
			a = e.accept(ctx, t, text, &at)
		}
	}
	a.write(w, e.o.RetryAfter)
	e.record(ctx, r, a, at)
}

// open verifies a request and decrypts what it carries. An unknown tenant has a key that
// nobody knows, so that strangers cannot tell it from a known one.
func (e *Endpoint) open(w http.ResponseWriter, r *http.Request, c *conn, at *attempt) (t Tenant, text []byte, a answer) {
	name, ok := tenantOf(r.URL.Path)
	if !ok {
		return t, nil, refuse(http.StatusNotFound, faultPath)
	}
	t, known := e.tenants[name]
	if !known {
		t = e.nobody
	}
	at.tenant = t.Name
	q, ok := parameters(r.URL.RawQuery)
	switch {
	case !ok:
		a = refuse(http.StatusBadRequest, "query")
	case r.Method == http.MethodGet:
		text, a = e.openWith(q, at, t.Codec.Echo)
	case r.Method == http.MethodPost:
		var body []byte
		if body, a = e.body(w, r, c); a.fault == "" {
			text, a = e.openWith(q, at, func(q url.Values) ([]byte, error) { return t.Codec.OpenBody(q, body) })
		}
	default:
		a = refuse(http.StatusMethodNotAllowed, "method")
	}
	if !known && a.fault != "" {
		a.fault = faultTenant
	}
	return t, text, a
}

func (e *Endpoint) openWith(q url.Values, at *attempt, open func(url.Values) ([]byte, error)) ([]byte, answer) {
	if a := e.stale(q); a.fault != "" {
		return nil, a
	}
	text, err := open(q)
	if err != nil {
		return nil, refusal(err, at)
	}
	return text, answer{}
}

// echo answers Weiban's check of the URL.
func echo(text []byte, at *attempt) answer {
	if !echoLike(text) {
		return refuse(http.StatusBadRequest, "echo")
	}
	at.event = "echo"
	return answer{status: http.StatusOK, echo: text}
}

// accept stores a callback that verified, if it can be stored now.
func (e *Endpoint) accept(ctx context.Context, t Tenant, text []byte, at *attempt) answer {
	if e.o.Refuse != nil {
		if err := e.o.Refuse(); err != nil {
			at.cause = err
			return refuse(http.StatusServiceUnavailable, faultFull)
		}
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	default:
		return refuse(http.StatusServiceUnavailable, faultBusy)
	}
	return e.publish(ctx, t, text, at)
}

// stale refuses a signature whose time is further off than the setting allows.
func (e *Endpoint) stale(q url.Values) answer {
	if e.o.MaxSkew <= 0 {
		return answer{}
	}
	timestamp := q.Get("timestamp")
	sec, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || !tenDigits(timestamp) {
		return refuse(http.StatusBadRequest, "timestamp")
	}
	if d := time.Since(time.Unix(sec, 0)); d > e.o.MaxSkew || d < -e.o.MaxSkew {
		return refuse(http.StatusForbidden, "timestamp")
	}
	return answer{}
}

func refusal(err error, at *attempt) answer {
	at.cause = err
	status := http.StatusBadRequest
	if errors.Is(err, weiban.ErrRefused) {
		status = http.StatusForbidden
	}
	return refuse(status, string(weiban.FaultOf(err)))
}

// publish stores what verified; from here on nothing may be dropped, so the
// client's going away does not stop it.
func (e *Endpoint) publish(ctx context.Context, t Tenant, plaintext []byte, at *attempt) answer {
	m, err := e.message(ctx, t, plaintext, at)
	if err != nil {
		at.cause = err
		return refuse(http.StatusServiceUnavailable, faultEvent)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.o.PublishTimeout)
	defer cancel()
	ack, err := e.o.Bus.Publish(ctx, m)
	if err != nil {
		at.cause = err
		return refuse(http.StatusServiceUnavailable, faultNotDurable)
	}
	at.sequence, at.duplicate = ack.Sequence, ack.Duplicate
	e.warn(ctx, at)
	return answer{status: http.StatusOK}
}

// warn tells of an event that was stored what people must look at.
func (e *Endpoint) warn(ctx context.Context, at *attempt) {
	reused := e.recent.reused(at.tenant, at.id)
	if at.duplicate {
		return
	}
	attrs := []slog.Attr{slog.String("tenant", at.tenant), slog.String("event", at.id), slog.Uint64("sequence", at.sequence)}
	if at.unnumbered != "" {
		e.alert.raise(ctx, alarmUnnumbered, "a callback is about an order that cannot be told, it becomes a dead letter: "+at.unnumbered, attrs...)
	}
	if reused {
		e.alert.raise(ctx, alarmReusedID, "Weiban used one message id for two contents; both were stored as events of their own", attrs...)
	}
}

// arrived is now where a callback's own time is absent, or lies so far ahead that
// it would make every later event of its order a late one; else the zero time.
func (e *Endpoint) arrived(created time.Time) time.Time {
	now := time.Now()
	if created.IsZero() || created.After(now.Add(e.o.MaxFuture)) {
		return now.Truncate(time.Millisecond)
	}
	return time.Time{}
}

// message makes the CloudEvent of a plaintext. Schemas decide nothing here: what
// breaks one is counted as drift and goes its way.
func (e *Endpoint) message(ctx context.Context, t Tenant, plaintext []byte, at *attempt) (bus.Message, error) {
	r := weiban.Receive(plaintext)
	c := r.Callback(t.Name, t.CorpID)
	c.Arrived = e.arrived(c.Time)
	ev, err := events.NewCallback(ctx, c)
	if err != nil {
		return bus.Message{}, err
	}
	data, err := events.Marshal(ev)
	if err != nil {
		return bus.Message{}, err
	}
	sent := plaintext
	if r.Repaired != "" {
		sent = weiban.AsSent(r.Data)
	}
	e.drift.See(ctx, e.known.Callback(r.Event), sent)
	at.event, at.id, at.order, at.unnumbered, at.cause = ev.Type(), ev.ID(), r.Key, r.Unnumbered, r.Cause
	if r.Tree != nil && r.Unnumbered == "" && at.cause == nil {
		at.cause = e.o.Events.CheckData(ev.Type(), r.Tree)
	}
	return bus.Message{
		Subject: events.CallbackSubject(t.Name, r.Event, r.Status, r.Key), ID: events.MessageID(t.Name, ev.ID(), 0),
		ContentType: events.ContentType, Data: data,
	}, nil
}
