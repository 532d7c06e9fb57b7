package orders

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
)

// EventOf is the event that a message holds, if its id is one that records and
// message ids can be made of.
func EventOf(s bus.Stored) (events.Event, error) {
	ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
	if err == nil && !ours(ev.ID()) {
		err = fmt.Errorf("%w: its id is none that the bridge gives", events.ErrNotEvent)
	}
	return ev, err
}

// Foreign begins the event id of a message that is no event: another program's message
// on a subject that a stage reads. Each has an id of its own, and so a letter of its own.
const Foreign = "foreign-"

// ForeignID is the event id of a message that is no event; its replay keeps it.
func ForeignID(s bus.Stored) string {
	if n := s.Header.Get(deadletter.HeaderReplay); n != "" {
		_, id, _ := strings.Cut(strings.TrimSuffix(s.ID(), "/r"+n), "/")
		if strings.HasPrefix(id, Foreign) && ours(id) {
			return id
		}
	}
	return Foreign + events.Hash(fmt.Appendf(nil, "%s %d %s", s.Subject, s.Sequence, s.Data))
}

// ours reports whether an event's id, derived or not, is one that records and
// message ids can be made of.
func ours(id string) bool {
	r := RootID(id)
	steps := "x" + strings.ReplaceAll(id[len(r):], "~", "-")
	return r == events.SafeID(r) && steps == events.SafeID(steps)
}

// RootID is the id of the callback's event that an event was derived from.
func RootID(id string) string {
	id, _, _ = strings.Cut(id, "~")
	return id
}

// EventName is the identity that every effect has: the event that it began with.
func EventName(k ID, id string) string { return string(k.Noun) + "/" + k.Key + "/event/" + RootID(id) }

// DerivedFrom takes the step and its number off a derived event's id.
func DerivedFrom(id, step string) (parent string, n int, ok bool) {
	i := strings.LastIndex(id, "~"+step+"~")
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(id[i+len(step)+2:])
	return id[:i], n, err == nil
}

// EachPage calls visit for every message of a subject from a sequence on, up to a
// last one (0: the end).
func EachPage(ctx context.Context, b *bus.Bus, stream, subject string, from, last uint64, visit func(bus.Stored) error) error {
	const size = 512
	for {
		page, err := b.Page(ctx, stream, subject, from, size)
		if err != nil {
			return err
		}
		for _, m := range page {
			if last > 0 && m.Sequence > last {
				return nil
			}
			if err := visit(m); err != nil {
				return err
			}
			from = m.Sequence + 1
		}
		if len(page) < size {
			return nil
		}
	}
}

// EventOrZero is the event of a message; an empty one where it cannot be read.
func EventOrZero(m bus.Stored) events.Event {
	ev, err := events.Decode(m.Header.Get("Content-Type"), m.Data)
	if err != nil {
		return events.Event{}
	}
	return ev
}

// Forced is the header of what follows from an event that a person forces.
func Forced(reason string) bus.Header {
	return bus.Header{deadletter.HeaderForced: {reason}}
}

// Headroom is the bytes that a message needs beside its data.
const Headroom = 16 << 10
