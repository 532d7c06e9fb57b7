package store

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// closings are the letters that people closed, by order. The audit is read when they are
// first asked for, and from then on what was added since.
type closings struct {
	reading chan struct{} // of one place: held while AUDIT is read
	read    uint64        // up to here, in AUDIT
	by      map[orders.ID][]closed
}

// closed is a closed letter, and the message that it was about.
type closed struct {
	stage  events.Stage
	letter string // its id
	number int    // among the letters of its message
	ends   bool   // the message with it: after some words of a person it goes on
	ledger.Ended
}

// of lists what people closed of an order.
func (c *closings) of(ctx context.Context, s *Store, k orders.ID) ([]closed, error) {
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	u, err := s.Log.Usage(ctx, bus.Audit)
	if err != nil {
		return nil, err
	}
	if c.by == nil {
		c.by = map[orders.ID][]closed{}
	}
	if u.Last < c.read { // AUDIT was removed and made again
		c.read, c.by = 0, map[orders.ID][]closed{}
	}
	subject := "gongdan." + events.Token(s.Tenant) + ".audit.*"
	for c.read < u.Last {
		m, err := s.Log.Next(ctx, bus.Audit, subject, c.read+1)
		if errors.Is(err, bus.ErrNotFound) {
			c.read = u.Last
			break
		}
		if err != nil {
			return nil, err
		}
		var a deadletter.Audit
		if json.Unmarshal(m.Data, &a) == nil && a.Letter != nil { // what cannot be read closes nothing
			c.add(a)
		}
		c.read = m.Sequence
	}
	return c.by[k], nil
}

// closed reports whether a person has closed the letter.
func (c *closings) closed(ctx context.Context, s *Store, k orders.ID, letter string) (bool, error) {
	list, err := c.of(ctx, s, k)
	return slices.ContainsFunc(list, func(x closed) bool { return x.letter == letter }), err
}

// add reads the replay that a letter was about out of its id.
func (c *closings) add(a deadletter.Audit) {
	l := a.Letter
	x := closed{
		stage: l.Stage, letter: l.ID, number: 1, Ended: ledger.Ended{EventID: l.EventID},
		ends: a.Action != deadletter.ActionSettle || ledger.Word(a.Word).Ends(),
	}
	if _, tail, ok := strings.Cut(l.ID, l.EventID+"~"+string(l.Stage)+"~"); ok {
		replay, number, _ := strings.Cut(tail, ".")
		if n, err := strconv.Atoi(replay); err == nil {
			x.Replay = n
		}
		if n, err := strconv.Atoi(number); err == nil {
			x.number = n
		}
	}
	k := orders.ID{Noun: l.Noun, Key: l.Key}
	c.by[k] = append(c.by[k], x)
}
