package dispatch

import (
	"context"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// message is one message of a stage, read.
type message struct {
	ledger.Message
	stored   bus.Stored
	event    events.Event
	fault    *events.Failure // it cannot be read
	notice   weiban.Notice   // of enrich
	callback uint64          // sequence of the callback in CALLBACKS
}

// hand is what a stage of an order has before it: the messages that it may be
// told to work on, and the span of the one it works on.
type hand struct {
	near []*message
	now  *message // that is worked on; nil for none
	ctx  context.Context
	span trace.Span
	fact fact

	from   time.Time
	detail *detail // the last one read, for followers that came before it was
	seen   uint64  // the highest message that had come when it was asked for
	top    uint64  // the highest message that has come
	out    *bus.Message
	plan   *planned
}

// fact is what an attempt's log line says beside the verdict.
type fact struct{ api, code string }

// offer keeps a message that the ledger may want to be worked on.
func (h *hand) offer(m *message) {
	h.top = max(h.top, m.Seq)
	for _, n := range h.near {
		if n.Seq == m.Seq {
			return
		}
	}
	h.near = append(h.near, m)
}

// tidy keeps the message that is worked on; any other is read again when its
// turn comes.
func (h *hand) tidy() {
	h.near = h.near[:0]
	if h.now != nil {
		h.near = append(h.near, h.now)
	}
}

func (h *hand) find(seq uint64) *message {
	for _, m := range h.near {
		if m.Seq == seq {
			return m
		}
	}
	return nil
}

// read understands a stored message as far as the ledger must know it. One that
// makes us panic is one that cannot be read.
func (a *actor) read(stage events.Stage, s bus.Stored) (m *message) {
	defer func() {
		if p := recover(); p != nil {
			m = unread(s)
			m.EventID, m.fault = orders.ForeignID(s), panicked(p)
		}
	}()
	m = unread(s)
	if n, err := strconv.Atoi(s.Header.Get(deadletter.HeaderReplay)); err == nil {
		m.Replay, m.Asked = n, true
	}
	if n, err := strconv.ParseUint(s.Header.Get(deadletter.HeaderSequence), 10, 64); err == nil {
		m.callback = n
	}
	m.Forced = s.Header.Get(deadletter.HeaderForced)
	if n, err := strconv.Atoi(s.Header.Get(deadletter.HeaderGeneration)); err == nil && m.Forced != "" {
		m.Generation = max(n, 0)
	}
	ev, err := orders.EventOf(s)
	if err != nil {
		m.EventID = orders.ForeignID(s)
		m.fault = &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
		return m
	}
	m.event, m.EventID, m.Position = ev, ev.ID(), events.Extension(ev, events.ExtPosition)
	if stage == events.Handle {
		// What a replay of enrich made is asked for, too.
		m.Asked = m.Asked || strings.Contains(m.EventID, "~enrich~") && !strings.HasSuffix(m.EventID, "~enrich~0")
		return m
	}
	if why := events.Extension(ev, events.ExtUnnumbered); why != "" {
		m.fault = &events.Failure{Kind: events.Invalid, Reason: "it cannot be told which order this callback is about: " + why}
		return m
	}
	n, err := weiban.ParseNotice(ev.Data())
	if err != nil {
		m.fault = &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
		return m
	}
	m.notice = n
	m.Position = events.Position(events.Happened(ev, n.CreateTime, s.Time, a.o.d.o.MaxFuture), m.callback)
	return m
}

func unread(s bus.Stored) *message {
	m := &message{stored: s, callback: s.Sequence}
	m.Seq, m.At = s.Sequence, s.Time.UnixNano()
	return m
}

// work is the context in which a message is worked on: its span continues the
// hop's trace; a message that comes again begins a trace of its own, with a link.
func (a *actor) work(stage events.Stage, m *message) context.Context {
	h := &a.hands[ledger.Index(stage)]
	if h.span != nil {
		return h.ctx
	}
	h.now = m
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.type", "process"),
			attribute.String("gongdan.tenant", a.o.t.Name), attribute.String("cloudevents.event_id", m.EventID),
			attribute.Int64("messaging.nats.sequence", int64(m.Seq)),
		),
	}
	remote := m.stored.Context(a.o.ctx)
	if head := a.ledger.Record.Progress(stage).Head; m.Replay > 0 || head != nil && head.Tries > 0 {
		opts = append(opts, trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(remote)))
	}
	h.ctx, h.span = a.o.d.tracer.Start(remote, "process "+string(stage)+" "+string(a.key.Noun), opts...)
	h.from = time.Now()
	return h.ctx
}

// context is that of the message in hand, or the owner's.
func (a *actor) context(stage events.Stage) context.Context {
	if h := &a.hands[ledger.Index(stage)]; h.ctx != nil {
		return h.ctx
	}
	return a.o.ctx
}

// end closes the span of the message in hand.
func (h *hand) end(outcome string) {
	if h.span == nil {
		return
	}
	h.span.SetAttributes(attribute.String("gongdan.outcome", outcome))
	if outcome == string(events.Dead) || outcome == "waiting" {
		h.span.SetStatus(codes.Error, outcome)
	}
	h.span.End()
	h.now, h.ctx, h.span, h.fact, h.plan = nil, nil, nil, fact{}, nil
}
