package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// publish sends out what a verdict implies: a letter before its outcome event,
// each under its own message id, and neither twice.
func (a *actor) publish(p ledger.Publish) error {
	ctx, cancel := context.WithTimeout(a.context(p.Stage), writeWait)
	defer cancel()
	if err := a.o.tenure.Check(ctx); err != nil {
		return err
	}
	crash("publish")
	news, err := a.announce(ctx, p)
	crash("published")
	if err != nil || !news {
		return err
	}
	switch p.What {
	case ledger.PublishEnriched:
		a.record(p.Stage, attempt{outcome: "enriched", event: p.EventID, seq: p.Seq, replay: p.Replay})
		a.hands[0].end("enriched")
	case ledger.PublishLetter:
		a.o.log.Warn("order waits for a person", slog.String("stage", string(p.Stage)), slog.String("order", a.key.Key),
			slog.String("event", p.EventID), slog.String("letter", p.LetterID))
	case ledger.PublishVerdict:
		v := p.Verdict
		a.record(p.Stage, attempt{
			outcome: string(v.Outcome), reason: reason(v), tries: v.Tries + 1, fault: v.Fault,
			event: p.EventID, seq: p.Seq, replay: p.Replay, rule: v.Rule,
		})
		a.hands[ledger.Index(p.Stage)].end(string(v.Outcome))
	}
	return nil
}

func reason(v ledger.Verdict) string {
	if v.Outcome == events.Applied && v.Reason == "" {
		return v.Rule
	}
	return v.Reason
}

// announce reports whether it had not been announced before.
func (a *actor) announce(ctx context.Context, p ledger.Publish) (bool, error) {
	if p.What == ledger.PublishEnriched {
		return true, a.sendEnriched(ctx, p)
	}
	m, err := a.parent(ctx, p)
	if err != nil {
		return false, err
	}
	if p.What == ledger.PublishLetter {
		return a.sendLetter(ctx, p, m)
	}
	subject := events.OutcomeSubject(a.o.t.Name, p.Verdict.Outcome, a.key.Key)
	if p.Check {
		out, err := a.published(ctx, "EVENTS", subject, p.ID)
		if !out && err == nil {
			out, err = a.acknowledged(ctx, p)
		}
		if out || err != nil {
			return false, err
		}
	}
	if p.LetterID != "" {
		if _, err := a.sendLetter(ctx, p, m); err != nil {
			return false, err
		}
	}
	data, err := a.outcomeEvent(p, m)
	if err != nil {
		return false, err
	}
	_, err = a.o.d.o.Ports.Log.Publish(ctx, bus.Message{Subject: subject, ID: p.ID, ContentType: events.ContentType, Data: data})
	return true, err
}

// outcomeEvent is the outcome event as it is published. What a fault of ours keeps
// from being said in full is said in short: a verdict that could never be published
// would keep its order shut for ever.
func (a *actor) outcomeEvent(p ledger.Publish, m *orders.Message) ([]byte, error) {
	encode := func(p ledger.Publish, m *orders.Message) (data []byte, err error) {
		var f *events.Failure
		defer func() {
			if f != nil {
				err = f
			}
		}()
		defer events.Guard(&f)
		ev, err := events.NewOutcome(m.Event, a.o.t.Account, p.Replay, time.Now(), a.outcome(p))
		if err != nil {
			return nil, err
		}
		return a.o.d.o.Events.Encode(ev)
	}
	data, err := encode(p, m)
	if err == nil {
		return data, nil
	}
	a.o.log.Error("outcome event cut short", slog.String("order", a.key.Key), slog.String("event", p.EventID), slog.String("cause", err.Error()))
	p.Body = nil
	return encode(p, a.identified(orders.Unread(m.Stored), p))
}

func (a *actor) sendEnriched(ctx context.Context, p ledger.Publish) error {
	out := a.hands[0].out
	if out == nil || out.ID != p.ID {
		return errLost
	}
	a.hands[0].out = nil
	if p.Check {
		there, err := a.published(ctx, "EVENTS", out.Subject, out.ID)
		if there || err != nil {
			return err
		}
	}
	_, err := a.o.d.o.Ports.Log.Publish(ctx, *out)
	return err
}

// outcome is the data of the outcome event.
func (a *actor) outcome(p ledger.Publish) events.HandleOutcome {
	v := p.Verdict
	o := events.HandleOutcome{
		Outcome: v.Outcome, Stage: p.Stage, Noun: a.key.Noun, Key: a.key.Key, Reason: v.Reason, DuplicateOf: v.DuplicateOf,
		Rule: v.Rule, Mapping: v.Mapping, Marker: v.Marker, DryRun: v.DryRun, Body: p.Body,
	}
	if e := p.Effect; e != nil {
		o.Identities, o.Generation, o.Application, o.Like, o.Sends = e.IDs, e.Generation, e.Application, e.Like, e.Sends
	}
	if v.Bill != nil && v.Bill.OrderNo != "" {
		o.Bill = &events.BillRef{ID: v.Bill.ID, OrderNo: v.Bill.OrderNo}
	}
	if v.Outcome == events.Applied {
		o.Status = v.Status
	}
	if v.Outcome == events.Dead {
		o.Letter = &events.LetterRef{ID: p.LetterID, Kind: events.Internal}
		if v.Fault != nil {
			o.Letter.Kind = v.Fault.Kind
		}
		if p.LetterID == "" {
			// It went out while its order waited.
			o.Letter.ID = ledger.LetterID(a.o.t.Name, p.Stage, ledger.Message{EventID: p.EventID, Replay: p.Replay}, v.Letter)
		}
	}
	return o
}

// sendLetter reports whether the letter was not there, and nobody had closed it.
func (a *actor) sendLetter(ctx context.Context, p ledger.Publish, m *orders.Message) (bool, error) {
	l := a.letterOrLess(ctx, p, m)
	if p.Check {
		there, err := a.published(ctx, deadletter.Stream, l.Subject(), l.ID)
		if !there && err == nil {
			there, err = a.o.audit.closed(ctx, a.o, a.key, l.ID)
		}
		if there || err != nil {
			return false, err
		}
	}
	if p.Remade || p.Check && a.o.store.Letters {
		return true, a.o.d.o.Letters.PutAgain(ctx, l, a.o.store.History)
	}
	return true, a.o.d.o.Letters.Put(ctx, l)
}

// letterOrLess is the letter; without what a fault of ours keeps from being told.
func (a *actor) letterOrLess(ctx context.Context, p ledger.Publish, m *orders.Message) (l deadletter.Letter) {
	defer func() {
		if x := recover(); x != nil {
			a.o.log.Error("letter cut short", slog.String("order", a.key.Key), slog.String("event", p.EventID), slog.String("cause", events.Panicked(x).Reason))
			p.Body = nil
			l = a.letter(ctx, p, &orders.Message{Callback: m.Callback})
		}
	}()
	return a.letter(ctx, p, m)
}

func (a *actor) letter(ctx context.Context, p ledger.Publish, m *orders.Message) deadletter.Letter {
	v := p.Verdict
	f := &events.Failure{Kind: events.Internal, Reason: v.Reason}
	if x := v.Fault; x != nil {
		f = &events.Failure{
			Kind: x.Kind, API: x.API, Code: x.Code, Status: x.Status, Reason: x.Reason,
			Rule: x.Rule, Field: x.Field, Expr: x.Expr, Word: x.Word,
		}
	}
	var l deadletter.Letter
	l.Fill(f)
	l.ID, l.Tenant, l.Stage, l.Noun, l.Key = p.LetterID, a.o.t.Name, p.Stage, a.key.Noun, a.key.Key
	l.Waiting, l.Advice = p.What == ledger.PublishLetter, advice(f, p.What == ledger.PublishLetter)
	l.Tries, l.Replay, l.DiedAt, l.Mapping, l.Marker, l.Body = v.Tries+1, p.Replay, v.At.UTC(), v.Mapping, v.Marker, p.Body
	if m.Generation > 0 {
		l.Forced, l.Again = m.Forced, m.Generation
	}
	if l.Rule == "" {
		l.Rule = v.Rule
	}
	if v.Bill != nil {
		l.Bill = &events.BillRef{ID: v.Bill.ID, OrderNo: v.Bill.OrderNo}
	}
	l.Stream, l.Sequence, l.Callback, l.EventID = orders.StreamOf(p.Stage), p.Seq, m.Callback, p.EventID
	if json.Valid(m.Stored.Data) {
		// What is not lies in its stream alone.
		l.Event = m.Stored.Data
		if int64(len(l.Event)+len(l.Body))+headroom > a.o.d.o.Ports.Log.MaxPayload() {
			l.Event, l.Advice = nil, "the event is too large to lie in its letter: raise max_payload of the NATS server; it still lies in "+l.Stream
		}
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		l.Trace = sc.TraceID().String()
	}
	return l
}

// parent is the message that an outcome follows from; where the stream no
// longer has it, as much of it as its id tells.
func (a *actor) parent(ctx context.Context, p ledger.Publish) (*orders.Message, error) {
	if m := a.hands[ledger.Index(p.Stage)].find(p.Seq); m != nil {
		return a.identified(m, p), nil
	}
	s, err := a.o.d.o.Ports.Log.Get(ctx, orders.StreamOf(p.Stage), p.Seq)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return a.identified(&orders.Message{Callback: p.Seq}, p), nil
	case err != nil:
		return nil, err // a letter without its event could not be replayed
	}
	m := orders.Read(p.Stage, s, a.o.d.o.MaxFuture)
	if m.EventID != p.EventID {
		// Of another history of the stream, which has another message in its place.
		m = &orders.Message{Callback: p.Seq}
	}
	return a.identified(m, p), nil
}

// identified gives a message that cannot be read an event of its own, so that
// its end can be announced.
func (a *actor) identified(m *orders.Message, p ledger.Publish) *orders.Message {
	if m.Event.ID() != "" {
		return m
	}
	c := *m
	ev, err := events.NewCallback(a.o.ctx, events.Callback{
		Tenant: a.o.t.Name, ID: p.EventID, CorpID: "unknown", Key: a.key.Key, Origin: events.FromCallback, Data: []byte("null"),
	})
	if err == nil {
		ev.SetID(p.EventID)
		c.Event = ev
	}
	return &c
}

// published looks whether a message of that id is on its subject.
func (a *actor) published(ctx context.Context, stream, subject, id string) (bool, error) {
	for from := uint64(1); ; {
		s, err := a.o.d.o.Ports.Log.Next(ctx, stream, subject, from)
		if errors.Is(err, bus.ErrNotFound) {
			return false, nil
		}
		if err != nil || s.ID() == id {
			return err == nil, err
		}
		from = s.Sequence + 1
	}
}

func forced(reason string) bus.Header {
	return bus.Header{deadletter.HeaderForced: {reason}}
}
