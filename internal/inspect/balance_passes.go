package inspect

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// hash is what a text is known by while it is counted: of a million texts two
// meet once in thirty million counts.
func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}

// queueIndex is the index of a queue.
func queueIndex(s events.Stage, n events.Noun) uint8 {
	for i, k := range orders.Queues {
		if k.Stage == s && k.Noun == n {
			return uint8(i)
		}
	}
	return 0
}

// name is the event id that a message was published under, and the number of
// its replay.
func (c *counter) name(m bus.Stored) (id string, replay int) {
	id, ok := strings.CutPrefix(m.ID(), c.Tenant+"/")
	if n, err := strconv.Atoi(m.Header.Get(deadletter.HeaderReplay)); err == nil {
		replay = n
		id = strings.TrimSuffix(id, "/r"+strconv.Itoa(n))
	}
	if ok {
		return id, replay
	}
	if ev, err := orders.EventOf(m); err == nil {
		return ev.ID(), replay
	}
	return orders.ForeignID(m), replay
}

// round is the replay of enrich that an id came from.
func round(id string) uint16 {
	_, after, _ := strings.Cut(id, "~enrich~")
	digits, _, _ := strings.Cut(after, "~")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// pass visits all messages of a subject and tells how far it has come.
func (c *counter) pass(ctx context.Context, what, stream, subject string, from, last uint64, visit func(bus.Stored) error) error {
	from = max(from, 1)
	if last < from {
		return nil
	}
	of := last + 1 - from
	err := c.b.Scan(ctx, stream, "gongdan."+events.Token(c.Tenant)+"."+subject, from, last, func(m bus.Stored) error {
		c.tell(what, m.Sequence-from, of)
		if !strings.HasPrefix(m.ID(), c.Tenant+"/") { // another program's; its id stands in its body alone
			whole, err := c.b.Get(ctx, stream, m.Sequence)
			if err != nil {
				return err
			}
			m = whole
		}
		return visit(m)
	})
	c.tell(what, of, of)
	return err
}

func (c *counter) end(ctx context.Context, stream string) (uint64, error) {
	u, err := c.b.Usage(ctx, stream)
	return u.Last, err
}

// callbacks takes down the accepted callbacks.
func (c *counter) callbacks(ctx context.Context) error {
	if c.last < c.first || c.last == 0 {
		return nil
	}
	return c.pass(ctx, "callbacks", bus.Callbacks, "event.weiban.>", c.first, c.last, func(m bus.Stored) error {
		id, _ := c.name(m)
		c.countReusedID(id)
		r, err := events.ParseRoute(m.Subject)
		if err != nil {
			c.Published++
			return nil
		}
		h := hash(orders.RootID(id))
		c.Accepted++
		c.countForeign(id)
		if c.all[h] != nil {
			c.Again++
			return nil
		}
		c.all[h] = &fate{order: hash(orders.ID{Noun: r.Noun, Key: r.Key}.Path()), seq: m.Sequence, queue: queueIndex(events.Enrich, r.Noun)}
		return nil
	})
}

// countReusedID counts the message ids that came with more than one content.
func (c *counter) countReusedID(event string) {
	id, key, ok := events.SplitCallbackID(orders.RootID(event))
	if !ok {
		return
	}
	h, now := hash(id), max(hash(key), 1)
	switch before, seen := c.ids[h]; {
	case !seen:
		c.ids[h] = now
	case before != 0 && before != now:
		c.ids[h] = 0
		c.ReusedIDs++
	}
}

// outcomes takes down how they ended. The last outcome counts, unless it only says that a
// settled message came again.
func (c *counter) outcomes(ctx context.Context) error {
	last, err := c.end(ctx, bus.Events)
	if err != nil || last == 0 {
		return err
	}
	states := map[string]state{
		string(events.Applied): applied, string(events.Superseded): superseded, string(events.Ignored): ignored, string(events.Dead): dead,
	}
	return c.pass(ctx, "outcomes", bus.Events, "event.kingdee.handle_order.>", c.events, last, func(m bus.Stored) error {
		id, _ := c.name(m)
		c.countForeign(id)
		f, s := c.all[hash(orders.RootID(id))], states[strings.Split(m.Subject, ".")[5]]
		again := s == ignored && (f.ended() || f != nil && f.state == dead && !replayed(id))
		if f != nil && !again {
			f.state = s
		}
		return nil
	})
}

// countForeign counts a message that is no event, once.
func (c *counter) countForeign(id string) {
	if h := hash(orders.RootID(id)); strings.HasPrefix(id, orders.Foreign) && !c.foreign[h] {
		c.foreign[h] = true
		c.Foreign++
	}
}

func (f *fate) ended() bool { return f != nil && (f.state == applied || f.state == superseded) }

// replayed reports whether an outcome's id is that of a replay, of either stage.
func replayed(id string) bool { return round(id) > 0 || !strings.HasSuffix(id, "~0") }

// move says where a callback is now, unless it is known to be further.
func (f *fate) move(k orders.ID, s events.Stage, seq uint64, n uint16) {
	to := queueIndex(s, k.Noun)
	further := n > f.round || n == f.round && (s == events.Handle) && orders.Queues[f.queue].Stage == events.Enrich ||
		n == f.round && orders.Queues[f.queue].Stage == s && seq > f.seq
	if further {
		f.order, f.seq, f.queue, f.round = hash(k.Path()), seq, to, n
	}
}

// replays takes down what was sent again after it had died.
func (c *counter) replays(ctx context.Context) error {
	for _, s := range ledger.Stages {
		stream, from := orders.StreamOf(s), c.first
		if s == events.Handle {
			from = c.events
		}
		last, err := c.end(ctx, stream)
		if err != nil {
			return err
		}
		if last == 0 || len(c.all) == 0 {
			continue
		}
		err = c.pass(ctx, "replays of "+string(s), stream, "replay."+string(s)+".>", from, last, func(m bus.Stored) error {
			r, err := events.ParseRoute(m.Subject)
			if err != nil {
				return nil // no stage reads it either
			}
			id, n := c.name(m)
			if f := c.all[hash(orders.RootID(id))]; f != nil && f.state == dead {
				if s == events.Handle {
					n = int(round(id))
				}
				f.move(orders.ID{Noun: r.Noun, Key: r.Key}, s, m.Sequence, uint16(n))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// enriched takes down which callbacks that have not ended are in stage handle. It begins at
// the oldest of them, since most have ended.
func (c *counter) enriched(ctx context.Context) error {
	oldest := uint64(0)
	for h, f := range c.all {
		if (f.state == pending || f.state == dead && c.closed[h].replayed) && orders.Queues[f.queue].Stage == events.Enrich && (oldest == 0 || f.seq < oldest) {
			oldest = f.seq
		}
	}
	last, err := c.end(ctx, bus.Events)
	if err != nil || oldest == 0 || last == 0 {
		return err
	}
	m, err := c.b.Next(ctx, bus.Callbacks, ">", oldest)
	if err != nil {
		return err
	}
	from, err := c.b.SequenceAt(ctx, bus.Events, m.Time)
	if err != nil {
		return err
	}
	return c.pass(ctx, "enriched events", bus.Events, "event.enriched.>", from, last, func(m bus.Stored) error {
		r, err := events.ParseRoute(m.Subject)
		if err != nil {
			return nil
		}
		id, _ := c.name(m)
		if f := c.all[hash(orders.RootID(id))]; f != nil && (f.state == pending || f.state == dead) {
			f.move(orders.ID{Noun: r.Noun, Key: r.Key}, events.Handle, m.Sequence, round(id))
		}
		return nil
	})
}

// died is the callback of an event, if it is dead. Where outcomes were lost, only its letter
// or the audit tells.
func (c *counter) died(eventID string) *fate {
	f := c.all[hash(orders.RootID(eventID))]
	if f != nil && (f.state == dead || f.state == pending && c.store.History != "") {
		return f
	}
	return nil
}

// letters takes down which of the dead have an open letter, then which letters were closed. A
// letter that is closed meanwhile is in the audit before it goes.
func (c *counter) letters(ctx context.Context) error {
	if len(c.all) == 0 {
		return nil
	}
	box := deadletter.NewBox(c.b, nil)
	err := box.All(ctx, deadletter.Filter{Tenant: c.Tenant}, func(o deadletter.Open) error {
		if f := c.died(o.EventID); f != nil {
			f.state = deadOpen
		}
		return nil
	})
	if err != nil {
		return err
	}
	from, err := c.b.SequenceAt(ctx, bus.Audit, c.Since)
	if err != nil {
		return err
	}
	names := map[string]string{} // one copy of each
	return box.Audits(ctx, c.Tenant, from, func(a deadletter.Audit) error {
		if a.Letter == nil || a.Action == deadletter.ActionSettle && !ledger.Word(a.Word).Ends() {
			return nil // the event goes on
		}
		h := hash(orders.RootID(a.Letter.EventID))
		if f := c.died(a.Letter.EventID); f != nil {
			f.state = dead
			if names[a.Who] == "" {
				names[a.Who] = a.Who
			}
			c.closed[h] = closing{replayed: a.Action == deadletter.ActionReplay, who: names[a.Who]}
		}
		return nil
	})
}
