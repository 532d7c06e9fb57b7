package inspect

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// judge counts each callback by how it ended, or by where it is.
func (c *counter) judge(ctx context.Context) error {
	var strays []unexplained
	for h, f := range c.all {
		why := ""
		switch f.state {
		case applied:
			c.Applied++
		case superseded:
			c.Superseded++
		case ignored:
			c.Ignored++
		case deadOpen:
			c.DeadOpen++
		case dead:
			why = c.dead(h, f)
		default:
			if c.countUnderWay(f) {
				break
			}
			known, err := c.endedOnRecord(ctx, f)
			if err != nil {
				return err
			}
			if !known {
				why = "it is settled at stage " + string(orders.Queues[f.queue].Stage) + ", and no outcome was published"
			}
		}
		if why != "" {
			strays = append(strays, unexplained{*f, why})
		}
	}
	c.Unexplained = len(strays)
	return c.list(ctx, strays)
}

// dead explains a callback that died and whose letter is not open.
func (c *counter) dead(h uint64, f *fate) string {
	a, closed := c.closed[h]
	switch {
	case !closed && c.lost(bus.Audit):
		c.DeadClosed["unknown, for AUDIT was lost"]++
		return ""
	case !closed:
		return "it is dead, and its letter is gone although nobody closed it"
	case !a.replayed:
		c.DeadClosed[a.who]++
		return ""
	case c.countUnderWay(f):
		return ""
	default:
		return "its letter was replayed by " + a.who + ", and no outcome has followed"
	}
}

// lost reports whether a stream is known to have lost messages.
func (c *counter) lost(stream string) bool {
	return slices.ContainsFunc(c.store.Notes, func(n history.Note) bool { return n.Store == stream && !n.Mild })
}

// endedOnRecord counts a callback by its order's record, where its outcome was lost with stream
// EVENTS.
func (c *counter) endedOnRecord(ctx context.Context, f *fate) (bool, error) {
	if c.store.History == "" || orders.Queues[f.queue].Stage != events.Enrich {
		return false, nil
	}
	m, err := c.b.Get(ctx, bus.Callbacks, f.seq)
	if err != nil {
		return false, err
	}
	route, err := events.ParseRoute(m.Subject)
	if err != nil {
		return false, err
	}
	r, err := orders.ReadRecord(ctx, c.b.Bucket(bus.State), c.Tenant, orders.ID{Noun: route.Noun, Key: route.Key})
	if err != nil {
		return false, err
	}
	id, _ := c.name(m)
	switch r.Ended(id) {
	case ledger.Applied:
		c.Applied++
	case ledger.Superseded:
		c.Superseded++
	case ledger.Ignored:
		c.Ignored++
	case ledger.Dead:
		c.DeadClosed["unknown, for EVENTS was lost"]++
	default:
		return false, nil
	}
	return true, nil
}

// countUnderWay counts a callback that has not ended: as waiting, or as delivered and not
// settled. It is false for one that is neither.
func (c *counter) countUnderWay(f *fate) bool {
	k := orders.Queues[f.queue]
	if w := c.waits[f.order][ledger.Index(k.Stage)]; w.open && f.seq > w.cursor {
		why := string(w.why)
		if why == "" {
			why = "its turn" // a follower of a head that is done
		}
		c.Waiting[string(k.Stage)+": "+why]++
		return true
	}
	if f.seq > c.floors[k] {
		c.InHand[string(k.Stage)]++
		return true
	}
	return false
}

type unexplained struct {
	fate
	why string
}

// list names the first of the unexplained.
func (c *counter) list(ctx context.Context, strays []unexplained) error {
	slices.SortFunc(strays, func(a, b unexplained) int {
		return cmp.Or(cmp.Compare(ledger.Index(orders.Queues[a.queue].Stage), ledger.Index(orders.Queues[b.queue].Stage)), cmp.Compare(a.seq, b.seq))
	})
	for _, x := range strays[:min(len(strays), maxStrays)] {
		s := Stray{Stream: orders.StreamOf(orders.Queues[x.queue].Stage), Sequence: x.seq, Why: x.why}
		m, err := c.b.Get(ctx, s.Stream, x.seq)
		switch {
		case errors.Is(err, bus.ErrNotFound): // it has left the stream
		case err != nil:
			return err
		default:
			s.Event, _ = c.name(m)
			s.Subject, s.At = m.Subject, m.Time
		}
		c.Strays = append(c.Strays, s)
	}
	return nil
}

// Ended is how many of the accepted callbacks need nothing more.
func (b Balance) Ended() int {
	n := b.Again + b.Applied + b.Superseded + b.Ignored
	for _, x := range b.DeadClosed {
		n += x
	}
	return n
}

// Key is the order that a stray belongs to, "" if that is not known any more.
func (s Stray) Key() string {
	r, err := events.ParseRoute(s.Subject)
	if err != nil {
		return ""
	}
	return r.Key
}
