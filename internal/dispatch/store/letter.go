package store

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// sendLetter puts the letter into the box; false if it is there, or a person has closed it.
func (o publication) sendLetter(ctx context.Context, p ledger.Publish, m *orders.Message) (bool, error) {
	l := o.letterOrLess(ctx, p, m)
	if p.Check {
		there, err := o.published(ctx, bus.Dead, l.Subject(), l.ID)
		if !there && err == nil {
			there, err = o.closings.closed(ctx, o.Store, o.order, l.ID)
		}
		if there || err != nil {
			return false, err
		}
	}
	if p.Remade || p.Check && o.record.Letters {
		return true, o.Letters.PutAgain(ctx, l, o.record.History)
	}
	return true, o.Letters.Put(ctx, l)
}

// letterOrLess is the letter; where a fault of ours breaks it, without event and body.
func (o publication) letterOrLess(ctx context.Context, p ledger.Publish, m *orders.Message) (l deadletter.Letter) {
	defer func() {
		if x := recover(); x != nil {
			o.Logger.Error("letter cut short", slog.String("order", o.order.Key), slog.String("event", p.EventID), slog.String("cause", events.Panicked(x).Reason))
			p.Body = nil
			l = o.letter(ctx, p, &orders.Message{Callback: m.Callback})
		}
	}()
	return o.letter(ctx, p, m)
}

func (o publication) letter(ctx context.Context, p ledger.Publish, m *orders.Message) deadletter.Letter {
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
	l.ID, l.Tenant, l.Stage, l.Noun, l.Key = p.LetterID, o.Tenant, p.Stage, o.order.Noun, o.order.Key
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
		// Other data lies in its stream alone.
		l.Event = m.Stored.Data
		if int64(len(l.Event)+len(l.Body))+orders.Headroom > o.Log.MaxPayload() {
			l.Event, l.Advice = nil, "the event is too large to lie in its letter: raise max_payload of the NATS server; it still lies in "+l.Stream
		}
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		l.Trace, l.Parent = sc.TraceID().String(), bus.TraceParent(ctx)
	}
	return l
}

// advice is what a person can do about a failure.
func advice(f *events.Failure, waiting bool) string {
	switch {
	case waiting && f.Kind == events.Uncertain:
		return "look at the bill in Kingdee, then say what is true: dispatcher dead settle NUMBER applied, or send-again"
	case waiting:
		return "the order waits for you: repair the cause, then dispatcher dead settle NUMBER try-again, or discard"
	case aboutPicture(f):
		return "let kingdee.photos in bridge.yaml allow what the reason names, or set its on_failure to without, restart, then replay; " +
			"a picture that was replaced in Weiban is seen by a replay of stage enrich or by the next event"
	}
	switch f.Kind {
	case events.Unmapped:
		return "add the missing word to its table, or correct the form in Weiban, then replay"
	case events.Uncertain:
		return "look at the bill in Kingdee; discard the letter if the record is there, else replay with --force and the reason"
	case events.Rejected:
		return "read the reason, correct the order or the mapping, then replay"
	case events.Missing:
		return "check that the order still exists in Weiban, then replay or discard"
	case events.Denied:
		return "correct the credentials, then replay"
	case events.Invalid:
		if f.API != "" {
			return "open the order at the vendor: what its API answers for it cannot be read; replay once it can be, else report it with the letter's trace id"
		}
		return "report it with the letter's trace id"
	case events.Unavailable, events.Throttled:
		return "replay when the vendor answers again"
	default:
		return "report it with the letter's trace id"
	}
}

// aboutPicture reports whether it was a picture that a call could not have.
func aboutPicture(f *events.Failure) bool {
	return f.API != "" && strings.HasPrefix(f.Field, "attmentInfors")
}
