package dispatch

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// hand is what a stage of an order has before it: the messages that it may be
// told to work on, and the span of the one it works on.
type hand struct {
	near []*orders.Message
	now  *orders.Message // that is worked on; nil for none
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
func (h *hand) offer(m *orders.Message) {
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

func (h *hand) find(seq uint64) *orders.Message {
	for _, m := range h.near {
		if m.Seq == seq {
			return m
		}
	}
	return nil
}

// work is the context in which a message is worked on: its span continues the
// hop's trace; a message that comes again begins a trace of its own, with a link.
func (a *actor) work(stage events.Stage, m *orders.Message) context.Context {
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
	remote := m.Stored.Context(a.o.ctx)
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
