package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
)

// metaOf is what a mapping is told of an enriched event beside its data, the
// same when it is handled and when it is only tried.
func metaOf(ev events.Event, route events.Route, tenant string, n events.Noun) mapping.Meta {
	return mapping.Meta{
		ID: ev.ID(), Tenant: tenant, Noun: n, Status: route.Status, Time: ev.Time(),
		Position: events.Extension(ev, events.ExtPosition), Origin: events.Extension(ev, events.ExtOrigin),
	}
}

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
	return mapping.Recorded{Meta: metaOf(ev, route, route.Tenant, route.Noun), Key: route.Key, Data: e}, nil
}

// EachRecorded calls visit for every enriched event of a tenant that stream
// EVENTS holds since a moment, or of one order alone, oldest first; replays are
// the same events again and are left out. What cannot be read is counted as
// skipped: the dispatcher has made a letter of it.
func EachRecorded(ctx context.Context, b *bus.Bus, tenant, key string, since time.Time, tell Progress, visit func(mapping.Recorded) error) (skipped int, err error) {
	subject := "gongdan." + events.Token(tenant) + ".event.enriched.*.*."
	if key == "" {
		subject += "*"
	} else {
		subject += events.Token(key)
	}
	u, err := b.Usage(ctx, bus.Events)
	if err != nil || u.Last == 0 {
		return 0, err
	}
	from, err := b.SequenceAt(ctx, bus.Events, since)
	if err != nil {
		return 0, fmt.Errorf("recorded events of %s: %w", tenant, err)
	}
	of := uint64(0)
	if from = max(from, u.First, 1); u.Last >= from {
		of = u.Last + 1 - from
	}
	err = pages(ctx, b, bus.Events, subject, from, u.Last, func(m bus.Stored) error {
		tell("events", m.Sequence-from, of)
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
	tell("events", of, of)
	if err != nil {
		return skipped, fmt.Errorf("recorded events of %s: %w", tenant, err)
	}
	return skipped, nil
}
