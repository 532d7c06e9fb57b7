package work

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Detail is what the stage needs of the answer to a call for a detail.
type Detail struct {
	key     string
	raw     json.RawMessage
	odd     map[string]json.RawMessage // see [events.Enriched]; pointers in raw
	fetched time.Time
	updated time.Time
}

// Fetch reads the detail of a message's order from Weiban, unless one is known that was
// read after the message had come, and makes the enriched event. out and d are nil where
// that failed.
func (w Order) Fetch(ctx context.Context, m *orders.Message, known *Detail) (in ledger.Fetched, out *bus.Message, d *Detail) {
	d, f := known, m.Fault
	if d == nil && f == nil {
		d, f = w.readDetail(ctx, m)
	}
	if f == nil {
		out, f = w.enriched(m, *d)
	}
	if f != nil {
		return ledger.Fetched{Failure: f}, nil, nil
	}
	return ledger.Fetched{}, out, d
}

func (w Order) readDetail(ctx context.Context, m *orders.Message) (*Detail, *events.Failure) {
	var d Detail
	f := w.try(ctx, w.APIs.Details[w.ID.Noun], func(ctx context.Context) error {
		if m.Notice.Noun == events.Opportunity {
			x, err := w.Weiban.Opportunity(ctx, m.Notice.Ref())
			d = Detail{string(x.Value.ID), x.Raw, x.Original, x.FetchedAt, x.UpdatedAt}
			return err
		}
		x, err := w.Weiban.WorkOrder(ctx, m.Notice.Key)
		d = Detail{m.Notice.Key, x.Raw, x.Original, x.FetchedAt, x.UpdatedAt}
		return err
	})
	if f != nil {
		return nil, f
	}
	return &d, nil
}

// enriched is the enriched event, ready to be published.
func (w Order) enriched(m *orders.Message, d Detail) (_ *bus.Message, f *events.Failure) {
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
		raw, misfit, err = w.Events.EncodeAny(ev)
	}
	if err != nil {
		return nil, &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
	}
	if misfit != nil {
		w.Log.Warn("an enriched event is not as its schema says, and goes on", slog.String("event", ev.ID()), slog.Any("error", misfit))
	}
	if limit := w.MaxPayload() - orders.Headroom; int64(len(raw)) > limit {
		return nil, &events.Failure{Kind: events.Invalid, Reason: fmt.Sprintf("the enriched event has %d bytes, more than the NATS server takes (%d): raise its max_payload", len(raw), limit)}
	}
	out := &bus.Message{
		Subject: events.EnrichedSubject(w.Name, m.Notice.Noun, m.Notice.Status, d.key),
		ID:      events.MessageID(w.Name, ev.ID(), 0), ContentType: events.ContentType, Data: raw,
	}
	if m.Forced != "" {
		out.Header = orders.Forced(m.Forced)
	}
	return out, nil
}
