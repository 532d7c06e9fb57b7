package dispatch

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// current is what an actor keeps of one stage of its order while it works: the messages
// that the ledger may ask for, and the attempt at one of them.
type current struct {
	near []*orders.Message
	now  *orders.Message // the message that is worked on; nil for none
	ctx  context.Context // of its span
	span trace.Span
	from time.Time // when the attempt began

	detail *work.Detail // the last one read: it serves messages that came before it was read
	seen   uint64       // the highest message that had come when it was asked for
	top    uint64       // the highest message that has come
	out    *bus.Message // the enriched event, until it is published
	plan   *work.Plan
}

// offer keeps a message that the ledger may ask for.
func (c *current) offer(m *orders.Message) {
	c.top = max(c.top, m.Seq)
	for _, n := range c.near {
		if n.Seq == m.Seq {
			return
		}
	}
	c.near = append(c.near, m)
}

// tidy keeps only the message that is worked on; the others are read again when the ledger
// asks for them.
func (c *current) tidy() {
	c.near = c.near[:0]
	if c.now != nil {
		c.near = append(c.near, c.now)
	}
}

func (c *current) find(seq uint64) *orders.Message {
	for _, m := range c.near {
		if m.Seq == seq {
			return m
		}
	}
	return nil
}

// span begins the attempt at a message and returns its context. Its span continues the
// message's trace; a repeated attempt begins a trace of its own, with a link.
func (a *actor) span(stage events.Stage, m *orders.Message) context.Context {
	c := &a.current[ledger.Index(stage)]
	if c.span != nil {
		return c.ctx
	}
	c.now = m
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
	c.ctx, c.span = a.o.d.tracer.Start(remote, "process "+string(stage)+" "+string(a.key.Noun), opts...)
	c.from = time.Now()
	return c.ctx
}

// context is that of the message that is worked on, or the owner's.
func (a *actor) context(stage events.Stage) context.Context {
	if c := &a.current[ledger.Index(stage)]; c.ctx != nil {
		return c.ctx
	}
	return a.o.ctx
}

// end ends the attempt.
func (c *current) end(outcome string) {
	if c.span == nil {
		return
	}
	c.span.SetAttributes(attribute.String("gongdan.outcome", outcome))
	if outcome == string(events.Dead) || outcome == waiting {
		c.span.SetStatus(codes.Error, outcome)
	}
	c.span.End()
	c.now, c.ctx, c.span, c.plan = nil, nil, nil, nil
}
