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
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Why an event is not handled again.
var (
	ErrNoEvent    = errors.New("stream EVENTS holds no such enriched event of the order")
	ErrWasApplied = errors.New("it was applied: another handling record would be made; look at the bill in Kingdee, then give --force with the reason")
	ErrStillWaits = errors.New("the order waits with it: dispatcher order show says for what; settle its letter if it has one")
	ErrHasALetter = errors.New("its dead letter is open: replay that")
)

// OrderReplayRequest asks to send a recorded event that has no letter to stage handle:
// one that was ignored, as in a dry run, one that was superseded, or, by force, one
// that was applied and whose handling record is lost.
type OrderReplayRequest struct {
	Decision
	OrderRequest
	Event string // the id of the enriched event, or of its callback, whose newest detail is then taken
	Force bool   // also if it was applied
}

// OrderReplay is the event that was sent.
type OrderReplay struct {
	Tenant     string
	Noun       events.Noun
	Event      string // the enriched event's CloudEvents id
	Replay     int
	Generation int    // that it is to make, 0 where nothing was applied
	Sequence   uint64 // of the new message, in EVENTS
}

// ReplayOrder sends a recorded event to stage handle. The audit has it before the
// stage does. Each call sends it once more.
func (a *Acts) ReplayOrder(ctx context.Context, r OrderReplayRequest) (OrderReplay, error) {
	tenant, k, err := a.find(ctx, r.OrderRequest)
	if err != nil {
		return OrderReplay{}, err
	}
	sent := OrderReplay{Tenant: tenant, Noun: k.Noun}
	if err := a.replayOrder(ctx, k, r, &sent); err != nil {
		return sent, fmt.Errorf("event %s of %s %s: %w", r.Event, k.Noun, k.Key, err)
	}
	return sent, nil
}

func (a *Acts) replayOrder(ctx context.Context, k orders.ID, r OrderReplayRequest, sent *OrderReplay) error {
	if r.Reason == "" {
		return deadletter.ErrNeedsReason
	}
	m, err := enrichedOf(ctx, a.o.Bus, sent.Tenant, k, r.Event)
	if err != nil {
		return err
	}
	event := orders.EventOrZero(m)
	sent.Event = event.ID()
	record, err := orders.ReadRecord(ctx, a.o.Bus.Bucket(bus.State), sent.Tenant, k)
	if err != nil {
		return err
	}
	if h := record.Handle.Head; h != nil && h.EventID == sent.Event {
		return ErrStillWaits
	}
	if err := noLetter(ctx, a.box, sent.Tenant, k, sent.Event); err != nil {
		return err
	}
	sent.Generation = record.NextGeneration(sent.Event, orders.EventName(k, sent.Event))
	if sent.Generation > 0 && !r.Force {
		return ErrWasApplied
	}
	if sent.Replay, err = nextReplay(ctx, a.o.Bus, sent.Tenant, k, sent.Event, record); err != nil {
		return err
	}
	err = a.box.Note(ctx, deadletter.Audit{
		Action: deadletter.ActionAgain, Tenant: sent.Tenant, Stage: events.Handle, Who: r.Who, Reason: r.Reason, Forced: r.Force,
		Again: &deadletter.AuditedReplay{Noun: k.Noun, Key: k.Key, EventID: sent.Event, Replay: sent.Replay, Generation: sent.Generation},
	})
	if err != nil {
		return err
	}
	header := bus.Header{
		deadletter.HeaderReplay:   {strconv.Itoa(sent.Replay)},
		deadletter.HeaderSequence: {callbackOf(events.Extension(event, events.ExtPosition))},
	}
	if r.Force {
		header[deadletter.HeaderForced] = []string{strings.Join(strings.Fields(r.Reason), " ")}
		header[deadletter.HeaderGeneration] = []string{strconv.Itoa(sent.Generation)}
	}
	ack, err := a.o.Bus.Publish(m.Context(ctx), bus.Message{
		Subject: events.ReplaySubject(sent.Tenant, events.Handle, k.Noun, k.Key), ID: events.MessageID(sent.Tenant, sent.Event, sent.Replay),
		ContentType: events.ContentType, Header: header, Data: m.Data,
	})
	sent.Sequence = ack.Sequence
	return err
}

// find is the one tenant and order that a request names.
func (a *Acts) find(ctx context.Context, r OrderRequest) (tenant string, k orders.ID, err error) {
	tenants, err := a.Tenants(r.Tenant)
	if err != nil {
		return "", k, err
	}
	known := 0
	for _, t := range tenants {
		nouns, err := inspect.NounsOf(ctx, a.o.Bus, t, r.Key)
		if err != nil {
			return "", k, err
		}
		for _, n := range nouns {
			if r.Noun == "" || r.Noun == n {
				tenant, k = t, orders.ID{Noun: n, Key: r.Key}
				known++
			}
		}
	}
	switch known {
	case 1:
		return tenant, k, nil
	case 0:
		return "", k, r.unknown(tenants)
	default:
		return "", k, refuse("several orders have the number %s; say of which tenant and noun", strconv.Quote(r.Key))
	}
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

// nextReplay is one more than the highest number of a known replay of the event.
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
