package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/sleep"
)

// detail is what either detail call gives, as far as the stage needs it.
type detail struct {
	key     string
	raw     json.RawMessage
	odd     map[string]json.RawMessage // see [events.Enriched]; pointers in raw
	fetched time.Time
	updated time.Time
}

// errLost says that the ledger asked for a message that is not in hand: only a
// fault of ours can do that.
var errLost = &events.Failure{Kind: events.Internal, Reason: "the message is not in hand"}

// fetch reads the detail. One that was read after the message had come serves
// it, too: several events that waited for one detail cost one call.
func (a *actor) fetch(act ledger.Fetch) error {
	h := &a.hands[0]
	m := h.find(act.Seq)
	if m == nil {
		return errLost
	}
	ctx := a.work(events.Enrich, m)
	known, top := h.detail, h.top
	if known != nil && m.Seq > h.seen {
		known = nil
	}
	a.begin(func(context.Context) (ledger.Input, func()) {
		d, f := known, m.Fault
		if d == nil && f == nil {
			d, f = a.readDetail(ctx, m)
		}
		var out *bus.Message
		if f == nil {
			out, f = a.enriched(m, *d)
		}
		return ledger.Fetched{Failure: f}, func() {
			if f == nil {
				h.out = out
				if known == nil {
					h.detail, h.seen = d, top
				}
			}
			h.fact.of(f)
		}
	})
	return nil
}

func (a *actor) readDetail(ctx context.Context, m *orders.Message) (*detail, *events.Failure) {
	var d detail
	f := a.quick(ctx, a.o.apis.Details[a.key.Noun], func(ctx context.Context) error {
		if m.Notice.Noun == events.Opportunity {
			x, err := a.o.t.Weiban.Opportunity(ctx, m.Notice.Ref())
			d = detail{string(x.Value.ID), x.Raw, x.Original, x.FetchedAt, x.UpdatedAt}
			return err
		}
		x, err := a.o.t.Weiban.WorkOrder(ctx, m.Notice.Key)
		d = detail{m.Notice.Key, x.Raw, x.Original, x.FetchedAt, x.UpdatedAt}
		return err
	})
	if f != nil {
		return nil, f
	}
	return &d, nil
}

// headroom is what a message needs beside its data.
const headroom = 16 << 10

// enriched is the enriched event, ready to be published.
func (a *actor) enriched(m *orders.Message, d detail) (_ *bus.Message, f *events.Failure) {
	defer events.Guard(&f)
	data := events.Enriched{Callback: m.Event.Data(), FetchedAt: d.fetched.UTC()}
	if !d.updated.IsZero() {
		data.UpdatedAt = &d.updated
	}
	if m.Notice.Noun == events.Opportunity {
		data.Opportunity = d.raw
	} else {
		data.WorkOrder = d.raw
	}
	for pointer, sent := range d.odd {
		if data.Original == nil {
			data.Original = make(map[string]json.RawMessage, len(d.odd))
		}
		data.Original["/"+string(m.Notice.Noun)+pointer] = sent
	}
	ev, err := events.NewEnriched(m.Event, m.Notice.Noun, d.key, m.Replay, m.Position, data)
	var raw []byte
	var misfit error
	if err == nil {
		raw, misfit, err = a.o.d.o.Events.EncodeAny(ev)
	}
	if err != nil {
		return nil, &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
	}
	if misfit != nil {
		a.o.log.Warn("an enriched event is not as its schema says, and goes on", slog.String("event", ev.ID()), slog.Any("error", misfit))
	}
	if limit := a.o.d.o.Ports.Log.MaxPayload() - headroom; int64(len(raw)) > limit {
		return nil, &events.Failure{Kind: events.Invalid, Reason: fmt.Sprintf("the enriched event has %d bytes, more than the NATS server takes (%d): raise its max_payload", len(raw), limit)}
	}
	out := &bus.Message{
		Subject: events.EnrichedSubject(a.o.t.Name, m.Notice.Noun, m.Notice.Status, d.key),
		ID:      events.MessageID(a.o.t.Name, ev.ID(), 0), ContentType: events.ContentType, Data: raw,
	}
	if m.Forced != "" {
		out.Header = forced(m.Forced)
	}
	return out, nil
}

// quick makes the quick tries of an act that had no effect, and tells the gate
// what came of them. A panic is a fault of ours, like any other.
func (a *actor) quick(ctx context.Context, g *wait.Availability, op func(context.Context) error) *events.Failure {
	ctx, cancel := a.o.tenure.CallContext(ctx)
	defer cancel()
	err := a.o.quiet(ctx)
	if err == nil {
		_, err = a.o.t.Quick.Do(ctx, events.Safely(op))
	}
	return g.Judge(ctx, a.key.Path(), err, a.o.d.o.ProbeDenied)
}

// quiet waits until no call of an owner before can be running.
func (o *owner) quiet(ctx context.Context) error {
	rest := time.Until(o.quietUntil())
	if rest <= 0 {
		return nil
	}
	if !sleep.For(ctx, rest) {
		return context.Cause(ctx)
	}
	return nil
}
