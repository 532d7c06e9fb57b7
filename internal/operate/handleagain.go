package operate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// What a person may be told of an event that they want to be handled again.
var (
	ErrNoEvent    = errors.New("stream EVENTS holds no such enriched event of the order")
	ErrWasApplied = errors.New("it was applied: another handling record would be made; look at the bill in Kingdee, then give --force with the reason")
	ErrStillWaits = errors.New("the order waits with it: dispatcher order show says for what; settle its letter if it has one")
	ErrHasALetter = errors.New("its dead letter is open: replay that")
)

// Again is an event that was sent to stage handle once more.
type Again struct {
	Event      string `json:"event"` // the enriched event's CloudEvents id
	Replay     int    `json:"replay"`
	Generation int    `json:"generation,omitempty"` // that it is to make, 0 where nothing was applied
	Sequence   uint64 `json:"sequence"`             // of the new message, in EVENTS
}

// HandleAgain sends a recorded event of an order to stage handle once more. It is
// for events without a letter: what was ignored, as in a dry run, what was
// superseded, and, by force, what was applied and whose handling record is lost. id
// is the enriched event's, or the callback's, whose newest detail is then taken.
// The audit has it before the stage does; each call sends one message.
func HandleAgain(ctx context.Context, b *bus.Bus, box *deadletter.Box, tenant string, noun events.Noun, key, id string, act deadletter.Act) (Again, error) {
	a, err := handleAgain(ctx, b, box, tenant, orders.ID{Noun: noun, Key: key}, id, act)
	if err != nil {
		return a, fmt.Errorf("event %s of %s %s: %w", id, noun, key, err)
	}
	return a, nil
}

func handleAgain(ctx context.Context, b *bus.Bus, box *deadletter.Box, tenant string, k orders.ID, id string, act deadletter.Act) (Again, error) {
	if act.Reason == "" {
		return Again{}, deadletter.ErrNeedsReason
	}
	m, err := enrichedOf(ctx, b, tenant, k, id)
	if err != nil {
		return Again{}, err
	}
	event := orders.EventOrZero(m)
	a := Again{Event: event.ID()}
	r, err := orders.ReadRecord(ctx, b.Bucket(bus.State), tenant, k)
	if err != nil {
		return a, err
	}
	if h := r.Handle.Head; h != nil && h.EventID == a.Event {
		return a, ErrStillWaits
	}
	if err := noLetter(ctx, box, tenant, k, a.Event); err != nil {
		return a, err
	}
	a.Generation = r.NextGeneration(a.Event, orders.EventName(k, a.Event))
	if a.Generation > 0 && !act.Force {
		return a, ErrWasApplied
	}
	if a.Replay, err = nextReplay(ctx, b, tenant, k, a.Event, r); err != nil {
		return a, err
	}
	header := bus.Header{
		deadletter.HeaderReplay:   {strconv.Itoa(a.Replay)},
		deadletter.HeaderSequence: {callbackOf(events.Extension(event, events.ExtPosition))},
	}
	if act.Force {
		header[deadletter.HeaderForced] = []string{strings.Join(strings.Fields(act.Reason), " ")}
		header[deadletter.HeaderGeneration] = []string{strconv.Itoa(a.Generation)}
	}
	err = box.Note(ctx, deadletter.Audit{
		Action: deadletter.ActionAgain, Tenant: tenant, Stage: events.Handle, Who: act.Who, Reason: act.Reason, Forced: act.Force,
		Again: &deadletter.AuditedReplay{Noun: k.Noun, Key: k.Key, EventID: a.Event, Replay: a.Replay, Generation: a.Generation},
	})
	if err != nil {
		return a, err
	}
	ack, err := b.Publish(ctx, bus.Message{
		Subject: events.ReplaySubject(tenant, events.Handle, k.Noun, k.Key), ID: events.MessageID(tenant, a.Event, a.Replay),
		ContentType: events.ContentType, Header: header, Data: m.Data,
	})
	a.Sequence = ack.Sequence
	return a, err
}

// callbackOf is the callback's sequence, out of an event's position.
func callbackOf(position string) string {
	_, sequence, _ := strings.Cut(position, "-")
	if n, err := strconv.ParseUint(sequence, 10, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return "0"
}

// enrichedOf is the order's enriched event of an id, or the newest of a callback's.
func enrichedOf(ctx context.Context, b *bus.Bus, tenant string, k orders.ID, id string) (bus.Stored, error) {
	var found bus.Stored
	subject := "gongdan." + events.Token(tenant) + ".event.enriched." + string(k.Noun) + ".*." + events.Token(k.Key)
	err := orders.EachPage(ctx, b, bus.Events, subject, 1, 0, func(m bus.Stored) error {
		if ev := orders.EventOrZero(m); ev.Context != nil && (ev.ID() == id || orders.RootID(ev.ID()) == id) {
			found = m
		}
		return nil
	})
	if err == nil && found.Sequence == 0 {
		err = ErrNoEvent
	}
	return found, err
}

func noLetter(ctx context.Context, box *deadletter.Box, tenant string, k orders.ID, event string) error {
	return box.All(ctx, deadletter.Filter{Tenant: tenant, Stage: events.Handle, Noun: k.Noun, Key: k.Key}, func(o deadletter.Open) error {
		if o.EventID == event {
			return fmt.Errorf("%w: dispatcher dead replay %d", ErrHasALetter, o.Number)
		}
		return nil
	})
}

// nextReplay is a number that no replay of the event has had, as far as is known.
func nextReplay(ctx context.Context, b *bus.Bus, tenant string, k orders.ID, event string, r ledger.Record) (int, error) {
	last := 0
	for _, e := range r.Effects {
		if e.EventID == event {
			last = max(last, e.Replay)
		}
	}
	if v := r.Handle.Last; v != nil && v.EventID == event {
		last = max(last, v.Replay)
	}
	err := orders.EachPage(ctx, b, bus.Events, events.ReplaySubject(tenant, events.Handle, k.Noun, k.Key), 1, 0, func(m bus.Stored) error {
		if ev := orders.EventOrZero(m); ev.Context != nil && ev.ID() == event {
			if n, err := strconv.Atoi(m.Header.Get(deadletter.HeaderReplay)); err == nil {
				last = max(last, n)
			}
		}
		return nil
	})
	return last + 1, err
}
