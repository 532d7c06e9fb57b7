package ingest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
)

// attempt is one request on its way through the endpoint; its fields become
// the one log line that the request leaves.
type attempt struct {
	tenant    string
	event     string
	id        string
	order     string
	sequence  uint64
	duplicate bool
	cause     error

	unnumbered string // why its order cannot be told
}

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	ctx, span := e.tracer.Start(r.Context(), r.Method+" /weiban/{tenant}", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	var at attempt
	var a answer
	select {
	case e.slots <- struct{}{}:
		a = e.answer(ctx, w, r, &at)
		<-e.slots
	default:
		a = refuse(http.StatusServiceUnavailable, "busy")
	}
	a.write(w, e.o.RetryAfter)
	e.record(ctx, span, r.Method, a, at, time.Since(start))
}

func (e *Endpoint) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, at *attempt) answer {
	t, known := e.tenants[r.PathValue("tenant")]
	if !known {
		return refuse(http.StatusNotFound, "tenant")
	}
	at.tenant = t.Name
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse(http.StatusBadRequest, "query")
	}
	switch r.Method {
	case http.MethodGet:
		return e.verify(t, q, at)
	case http.MethodPost:
		return e.accept(ctx, t, q, w, r, at)
	default:
		return refuse(http.StatusMethodNotAllowed, "method")
	}
}

// verify answers Weiban's check of the URL with the decrypted echo.
func (e *Endpoint) verify(t Tenant, q url.Values, at *attempt) answer {
	if a := e.stale(q); a.fault != "" {
		return a
	}
	echo, err := t.Codec.Echo(q)
	if err != nil {
		return refusal(err, at)
	}
	at.event = "echo"
	return answer{status: http.StatusOK, echo: echo}
}

func (e *Endpoint) accept(ctx context.Context, t Tenant, q url.Values, w http.ResponseWriter, r *http.Request, at *attempt) answer {
	if e.o.Refuse != nil {
		if err := e.o.Refuse(); err != nil {
			at.cause = err
			return refuse(http.StatusServiceUnavailable, "full")
		}
	}
	body, a := e.read(w, r)
	if a.fault != "" {
		return a
	}
	if a := e.stale(q); a.fault != "" {
		return a
	}
	plaintext, err := t.Codec.OpenBody(q, body)
	if err != nil {
		return refusal(err, at)
	}
	return e.publish(ctx, t, plaintext, at)
}

// read takes the body within the bounds of size and time.
func (e *Endpoint) read(w http.ResponseWriter, r *http.Request) ([]byte, answer) {
	// A recorder in a test has no deadline to set; a real connection has.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(e.o.ReadTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, e.o.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "size")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "cut")
	}
	return body, answer{}
}

// stale refuses a signature whose time is further off than the setting allows.
func (e *Endpoint) stale(q url.Values) answer {
	if e.o.MaxSkew <= 0 {
		return answer{}
	}
	sec, err := strconv.ParseInt(q.Get("timestamp"), 10, 64)
	if err != nil {
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
		return refuse(http.StatusServiceUnavailable, "event")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.o.PublishTimeout)
	defer cancel()
	ack, err := e.o.Bus.Publish(ctx, m)
	if err != nil {
		at.cause = err
		return refuse(http.StatusServiceUnavailable, "not durable")
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

func (e *Endpoint) record(ctx context.Context, span trace.Span, method string, a answer, at attempt, took time.Duration) {
	result := a.fault
	switch {
	case result == "" && at.duplicate:
		result = "duplicate"
	case result == "":
		result = "accepted"
	}
	tenant := at.tenant
	if tenant == "" {
		tenant = "unknown"
	}
	where := metric.WithAttributes(attribute.String("tenant", tenant), attribute.String("result", result))
	e.count.Add(ctx, 1, where)
	e.seconds.Record(ctx, took.Seconds(), where)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.Int("http.response.status_code", a.status),
		attribute.String("gongdan.tenant", tenant), attribute.String("gongdan.result", result), attribute.String("cloudevents.event_id", at.id))
	level := slog.LevelInfo
	if a.fault != "" || at.unnumbered != "" {
		level = slog.LevelWarn
	}
	if a.status == http.StatusServiceUnavailable {
		level = slog.LevelError
		span.SetStatus(codes.Error, result)
	}
	attrs := []slog.Attr{
		slog.String("tenant", tenant), slog.String("method", method), slog.Int("status", a.status),
		slog.String("result", result), slog.Duration("took", took),
	}
	if at.id != "" {
		attrs = append(attrs, slog.String("event", at.id), slog.String("type", at.event),
			slog.String("order", at.order), slog.Uint64("sequence", at.sequence))
	}
	if at.unnumbered != "" {
		attrs = append(attrs, slog.String("unnumbered", at.unnumbered))
	}
	if at.cause != nil {
		attrs = append(attrs, slog.String("cause", at.cause.Error()))
	}
	if refused := (*weiban.CallbackError)(nil); errors.As(at.cause, &refused) && refused.Received != "" {
		// Signed with the tenant's token, and for whom: weiban.receivers may lack it.
		attrs = append(attrs, slog.String("receiver", refused.Received))
	}
	e.o.Logger.LogAttrs(ctx, level, "callback", attrs...)
}
