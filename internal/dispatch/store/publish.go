package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// publication is what one verdict or letter of an order implies, on its way out.
type publication struct {
	*Store
	order   orders.ID
	message *orders.Message // that it is about; nil: it is read from its stream
	listed  bool            // the order is known to be listed
}

// Publish sends what a verdict or a waiting letter implies: a letter before its outcome
// event, each under its own message id, and neither twice. m is the message that it is
// about, nil if it is not in memory; listed says that the order is known to be listed. It
// is false if all of that had been published before.
func (s *Store) Publish(ctx context.Context, k orders.ID, p ledger.Publish, m *orders.Message, listed bool) (news bool, err error) {
	o := publication{s, k, m, listed}
	if m, err = o.parent(ctx, p); err != nil {
		return false, err
	}
	if p.What == ledger.PublishLetter {
		return o.sendLetter(ctx, p, m)
	}
	subject := events.OutcomeSubject(s.Tenant, p.Verdict.Outcome, k.Key)
	if p.Check {
		out, err := s.published(ctx, bus.Events, subject, p.ID)
		if !out && err == nil {
			out, err = o.acknowledged(ctx, p)
		}
		if out || err != nil {
			return false, err
		}
	}
	if p.LetterID != "" {
		if _, err := o.sendLetter(ctx, p, m); err != nil {
			return false, err
		}
	}
	data, err := o.outcomeEvent(p, m)
	if err != nil {
		return false, err
	}
	_, err = s.Log.Publish(ctx, bus.Message{Subject: subject, ID: p.ID, ContentType: events.ContentType, Data: data})
	return true, err
}

// PublishEnriched sends an enriched event. check: it may have been published before.
func (s *Store) PublishEnriched(ctx context.Context, out bus.Message, check bool) error {
	if check {
		there, err := s.published(ctx, bus.Events, out.Subject, out.ID)
		if there || err != nil {
			return err
		}
	}
	_, err := s.Log.Publish(ctx, out)
	return err
}

// outcomeEvent is the outcome event as it is published. Where a fault of ours breaks it, it is
// published in short: a verdict that could never be published would keep its order shut.
func (o publication) outcomeEvent(p ledger.Publish, m *orders.Message) ([]byte, error) {
	encode := func(p ledger.Publish, m *orders.Message) (data []byte, err error) {
		var f *events.Failure
		defer func() {
			if f != nil {
				err = f
			}
		}()
		defer events.Guard(&f)
		ev, err := events.NewOutcome(m.Event, o.Account, p.Replay, time.Now(), o.outcome(p))
		if err != nil {
			return nil, err
		}
		return o.Events.Encode(ev)
	}
	data, err := encode(p, m)
	if err == nil {
		return data, nil
	}
	o.Logger.Error("outcome event cut short", slog.String("order", o.order.Key), slog.String("event", p.EventID), slog.String("cause", err.Error()))
	p.Body = nil
	return encode(p, o.identified(orders.Unread(m.Stored), p))
}

// outcome is the data of the outcome event.
func (o publication) outcome(p ledger.Publish) events.HandleOutcome {
	v := p.Verdict
	out := events.HandleOutcome{
		Outcome: v.Outcome, Stage: p.Stage, Noun: o.order.Noun, Key: o.order.Key, Reason: v.Reason, DuplicateOf: v.DuplicateOf,
		Rule: v.Rule, Mapping: v.Mapping, Marker: v.Marker, DryRun: v.DryRun, Body: p.Body,
	}
	if e := p.Effect; e != nil {
		out.Identities, out.Generation, out.Application, out.Like, out.Sends = e.IDs, e.Generation, e.Application, e.Like, e.Sends
	}
	if v.Bill != nil && v.Bill.OrderNo != "" {
		out.Bill = &events.BillRef{ID: v.Bill.ID, OrderNo: v.Bill.OrderNo}
	}
	if v.Outcome == events.Applied {
		out.Status = v.Status
	}
	if v.Outcome == events.Dead {
		out.Letter = &events.LetterRef{ID: p.LetterID, Kind: events.Internal}
		if v.Fault != nil {
			out.Letter.Kind = v.Fault.Kind
		}
		if p.LetterID == "" {
			// The letter was published while its order waited.
			out.Letter.ID = ledger.LetterID(o.Tenant, p.Stage, ledger.Message{EventID: p.EventID, Replay: p.Replay}, v.Letter)
		}
	}
	return out
}

// parent is the message that an outcome follows from. Where the stream no longer holds it,
// only its id is known.
func (o publication) parent(ctx context.Context, p ledger.Publish) (*orders.Message, error) {
	if m := o.message; m != nil {
		return o.identified(m, p), nil
	}
	s, err := o.Log.Get(ctx, orders.StreamOf(p.Stage), p.Seq)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return o.identified(&orders.Message{Callback: p.Seq}, p), nil
	case err != nil:
		return nil, err // a letter without its event could not be replayed
	}
	m := orders.Read(p.Stage, s, o.MaxFuture)
	if m.EventID != p.EventID {
		// The stream has another history, with another message in this place.
		m = &orders.Message{Callback: p.Seq}
	}
	return o.identified(m, p), nil
}

// identified gives a message that cannot be read an event of its own, from which its outcome
// event can derive. Its position is that of its effect: from the outcome an order may have to
// learn what was applied last.
func (o publication) identified(m *orders.Message, p ledger.Publish) *orders.Message {
	if m.Event.ID() != "" {
		return m
	}
	c := *m
	ev, err := events.NewCallback(context.Background(), events.Callback{
		Tenant: o.Tenant, ID: p.EventID, CorpID: "unknown", Key: o.order.Key, Origin: events.FromCallback, Data: []byte("null"),
	})
	if err == nil {
		ev.SetID(p.EventID)
		if p.Effect != nil && p.Effect.Position != "" {
			ev.SetExtension(events.ExtPosition, p.Effect.Position)
		}
		c.Event = ev
	}
	return &c
}

// published looks whether a message of that id is on its subject.
func (s *Store) published(ctx context.Context, stream, subject, id string) (bool, error) {
	for from := uint64(1); ; {
		m, err := s.Log.Next(ctx, stream, subject, from)
		if errors.Is(err, bus.ErrNotFound) {
			return false, nil
		}
		if err != nil || m.ID() == id {
			return err == nil, err
		}
		from = m.Sequence + 1
	}
}

// acknowledged reports whether a message was acknowledged because it was settled. Then its
// outcome was published, whether or not the stream still holds it: outcomes leave their
// stream by age and by trimming, and the record of an order at rest does not tell. A message
// of a listed order may have been acknowledged because it waited: that proves nothing.
func (o publication) acknowledged(ctx context.Context, p ledger.Publish) (bool, error) {
	if o.listed {
		return false, nil
	}
	// An actor that a delivery made after an eviction does not know whether its order is listed.
	if _, err := o.State.Get(ctx, orders.WaitKey(o.Tenant, o.order)); !errors.Is(err, bus.ErrNotFound) {
		return false, err
	}
	floor, err := orders.FloorOf(ctx, o.State, o.Consumers, o.Tenant, orders.Queue{Stage: p.Stage, Noun: o.order.Noun})
	return p.Seq <= floor, err
}
