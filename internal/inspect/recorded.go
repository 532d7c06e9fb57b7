package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/orders"
)

// ErrNotEnriched says that a letter holds no enriched event: it died before the
// mapping.
var ErrNotEnriched = errors.New("the letter died before the mapping")

// RecordedOf is the enriched event of a letter, to be tried with a mapping.
func RecordedOf(l deadletter.Open) (mapping.Recorded, error) {
	if l.Stage != events.Handle {
		return mapping.Recorded{}, fmt.Errorf("dead letter %d: %w", l.Number, ErrNotEnriched)
	}
	r, err := recorded(l.Event, events.Route{Tenant: l.Tenant, Noun: l.Noun, Key: l.Key})
	if err != nil {
		return r, fmt.Errorf("dead letter %d: %w", l.Number, err)
	}
	if l.Bill != nil {
		r.Bill.ID, r.Bill.OrderNo = l.Bill.ID, l.Bill.OrderNo
	}
	return r, nil
}

func recorded(data []byte, route events.Route) (mapping.Recorded, error) {
	ev, err := events.Decode(events.ContentType, data)
	if err != nil {
		return mapping.Recorded{}, err
	}
	e, err := events.DecodeEnriched(ev)
	if err != nil {
		return mapping.Recorded{}, err
	}
	return mapping.Recorded{Meta: mapping.MetaOf(ev, route, route.Tenant, route.Noun), Key: route.Key, Data: e}, nil
}

// Period is when something was recorded: at Since or later, and before Until; the
// zero Until is no end.
type Period struct{ Since, Until time.Time }

// Holds reports whether t lies in the period.
func (p Period) Holds(t time.Time) bool {
	return !t.Before(p.Since) && (p.Until.IsZero() || t.Before(p.Until))
}

// EachRecorded calls visit for every enriched event of a tenant that stream
// EVENTS holds of a period, or of one order alone, oldest first; replays are
// the same events again and are left out. What cannot be read is counted as
// skipped: the dispatcher has made a letter of it.
func EachRecorded(ctx context.Context, b *bus.Bus, tenant, key string, in Period, tell Progress, visit func(mapping.Recorded) error) (skipped int, err error) {
	subject := "gongdan." + events.Token(tenant) + ".event.enriched.*.*."
	if key == "" {
		subject += "*"
	} else {
		subject += events.Token(key)
	}
	err = eachIn(ctx, b, bus.Events, subject, in, "events", tell, func(m bus.Stored) error {
		route, err := events.ParseRoute(m.Subject)
		if err != nil {
			skipped++
			return nil
		}
		r, err := recorded(m.Data, route)
		if err != nil {
			skipped++
			return nil
		}
		return visit(r)
	})
	if err != nil {
		return skipped, fmt.Errorf("recorded events of %s: %w", tenant, err)
	}
	return skipped, nil
}

// RecordedCallback is a callback as it was recorded.
type RecordedCallback struct {
	ID            string    // of its event
	Event, Status string    // Weiban's own words; "" where it was not understood
	Key           string    // order number or opportunity id, as far as it names one
	At            time.Time // when it was stored
	Data          []byte    // the plaintext
}

// EachCallback calls visit for every callback of a tenant that stream CALLBACKS
// holds since a moment, also those that no stage reads or that were not
// understood, oldest first; replays are left out. What is no event is counted as
// skipped.
func EachCallback(ctx context.Context, b *bus.Bus, tenant string, since time.Time, tell Progress, visit func(RecordedCallback) error) (skipped int, err error) {
	subject := "gongdan." + events.Token(tenant) + ".event.weiban.*.*.*"
	err = eachIn(ctx, b, bus.Callbacks, subject, Period{Since: since}, "callbacks", tell, func(m bus.Stored) error {
		event, status, key, err := events.ParseCallback(m.Subject)
		ev := orders.EventOrZero(m)
		if err != nil || ev.Context == nil {
			skipped++
			return nil
		}
		return visit(RecordedCallback{ID: ev.ID(), Event: event, Status: status, Key: key, At: m.Time, Data: ev.Data()})
	})
	if err != nil {
		return skipped, fmt.Errorf("recorded callbacks of %s: %w", tenant, err)
	}
	return skipped, nil
}

// eachIn visits the messages of a subject that were stored in a period, and tells
// how far it has come.
func eachIn(ctx context.Context, b *bus.Bus, stream, subject string, in Period, what string, tell Progress, visit func(bus.Stored) error) error {
	u, err := b.Usage(ctx, stream)
	if err != nil || u.Last == 0 {
		return err
	}
	from, err := b.SequenceAt(ctx, stream, in.Since)
	if err != nil {
		return err
	}
	last := u.Last
	if !in.Until.IsZero() {
		past, err := b.SequenceAt(ctx, stream, in.Until)
		if err != nil {
			return err
		}
		last = min(last, past-1)
	}
	if from = max(from, u.First, 1); last < from {
		return nil
	}
	of := last + 1 - from
	err = orders.EachPage(ctx, b, stream, subject, from, last, func(m bus.Stored) error {
		tell(what, m.Sequence-from, of)
		return visit(m)
	})
	tell(what, of, of)
	return err
}
