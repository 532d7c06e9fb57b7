package dispatch

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
)

// bury makes the dead letter of a failed message and announces its end.
func (d *Dispatcher) bury(ctx context.Context, t Tenant, j job, v *verdict) error {
	l := v.letter
	l.Fill(v.failure)
	id := j.event.ID()
	if id == "" {
		id = "raw-" + events.Hash(j.raw)
	}
	l.ID = deadletter.LetterID(t.Name, id, j.route.Stage, j.replay)
	l.Tenant, l.Stage, l.Noun, l.Key = t.Name, j.route.Stage, j.route.Noun, j.route.Key
	l.Tries, l.Replay, l.DiedAt = v.tries, j.replay, time.Now().UTC()
	l.Stream, l.Sequence, l.Callback = j.stream, j.sequence, j.callback
	if l.Advice == "" {
		l.Advice = advice(v.failure)
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		l.Trace = sc.TraceID().String()
	}
	l.EventID = id
	if j.event.ID() != "" {
		l.Event = j.raw
	}
	if err := d.o.Letters.Put(ctx, l); err != nil {
		return err
	}
	v.outcome = string(events.Dead)
	if j.event.ID() == "" {
		return nil // no event, so nothing that another event could follow from
	}
	return d.announce(ctx, t, j, events.HandleOutcome{
		Outcome: events.Dead, Reason: l.Reason, Rule: l.Rule, Mapping: l.Mapping,
		Bill: l.Bill, Marker: l.Marker, Letter: l.Ref(),
	})
}

// announce publishes how an event ended.
func (d *Dispatcher) announce(ctx context.Context, t Tenant, j job, o events.HandleOutcome) error {
	o.Stage, o.Noun, o.Key = j.route.Stage, j.route.Noun, j.route.Key
	ev, err := events.NewOutcome(j.event, t.Account, j.replay, time.Now(), o)
	if err != nil {
		return err
	}
	return d.publish(ctx, events.OutcomeSubject(t.Name, o.Outcome, j.route.Key), t.Name, ev)
}

func (d *Dispatcher) publish(ctx context.Context, subject, tenant string, ev events.Event) error {
	data, err := d.o.Events.Encode(ev)
	if err != nil {
		return err
	}
	_, err = d.o.Bus.Publish(ctx, bus.Message{
		Subject: subject, ID: events.MessageID(tenant, ev.ID(), 0), ContentType: events.ContentType, Data: data,
	})
	return err
}

// advice is what a person can do about a failure.
func advice(f *events.Failure) string {
	switch f.Kind {
	case events.Unmapped:
		return "add the missing word to its table, or correct the form in Weiban, then replay"
	case events.Uncertain:
		return "look at the bill in Kingdee; discard the letter if the record is there, else replay with --force and the reason"
	case events.Rejected:
		return "read the vendor's reason, correct the order or the mapping, then replay"
	case events.Missing:
		return "check that the order still exists in Weiban, then replay or discard"
	case events.Denied:
		return "correct the credentials, then replay"
	case events.Unavailable, events.Throttled:
		return "replay when the vendor answers again"
	default:
		return "report it with the letter's trace id"
	}
}
