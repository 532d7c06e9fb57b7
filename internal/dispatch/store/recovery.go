package store

import (
	"context"
	"encoding/json"
	"slices"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Recovery is what the streams tell of an order whose record may not fit them; nil where it
// fits. recheck is up to where messages may have been settled in an earlier history, of
// enrich and of handle; going reports whether such messages are still treated again. After
// that, a record that was never written is that of a new order.
func (s *Store) Recovery(ctx context.Context, k orders.ID, r ledger.Record, recheck [2]uint64, going bool) (*ledger.Recovery, error) {
	if !r.NeedsRecovery(s.record.History, recheck) {
		return nil, s.Witness(ctx, r)
	}
	if r.Unknown() && !going {
		return nil, nil
	}
	return s.recall(ctx, k, r, ledger.Recovery{Lost: s.Lost(), Recheck: recheck})
}

// recall reads all that the streams tell of an order.
func (s *Store) recall(ctx context.Context, k orders.ID, r ledger.Record, rec ledger.Recovery) (*ledger.Recovery, error) {
	c := &recaller{s: s, k: k, rec: &rec, open: map[string]bool{}}
	closed, err := s.closings.of(ctx, s, k)
	if err != nil {
		return nil, err
	}
	every := "gongdan." + events.Token(s.Tenant) + "."
	key := events.Token(k.Key)
	type source struct {
		stream, subject string
		take            func(bus.Stored)
	}
	list := []source{
		{bus.Dead, every + "dead.*.*." + string(k.Noun) + "." + key, c.letter},
		{bus.Events, every + "event.enriched." + string(k.Noun) + ".*." + key, c.enriched},
	}
	for i, st := range ledger.Stages {
		for _, subject := range events.OrderFilters(s.Tenant, st, k.Noun, k.Key) {
			list = append(list, source{orders.StreamOf(st), subject, func(m bus.Stored) {
				rec.Stored[i] = append(rec.Stored[i], orders.Read(st, m, s.MaxFuture).EventID)
			}})
		}
	}
	list = append(list, source{bus.Events, every + "event.kingdee.handle_order.*." + key, c.outcome})
	for _, x := range closed {
		if x.ends {
			c.end(x.stage, x.Ended)
		}
		c.closed(x)
		c.open[x.letter] = true // counts as open: a person has answered it
	}
	for _, x := range list {
		if err := s.Each(ctx, x.stream, x.subject, func(m bus.Stored) bool { x.take(m); return true }); err != nil {
			return nil, err
		}
	}
	c.unanswered(r)
	return c.rec, nil
}

// recaller gathers what the streams tell of one order.
type recaller struct {
	s    *Store
	k    orders.ID
	rec  *ledger.Recovery
	open map[string]bool // letters by id: open, or closed by a person
}

func (c *recaller) end(s events.Stage, e ledger.Ended) {
	c.rec.Ended[ledger.Index(s)] = append(c.rec.Ended[ledger.Index(s)], e)
}

// closed keeps the number of a letter that a person has closed.
func (c *recaller) closed(x closed) {
	of := &c.rec.Closed[ledger.Index(x.stage)]
	if *of == nil {
		*of = map[ledger.Ended]int{}
	}
	(*of)[x.Ended] = max((*of)[x.Ended], x.number)
}

func (c *recaller) letter(m bus.Stored) {
	var l deadletter.Letter
	if json.Unmarshal(m.Data, &l) != nil {
		return
	}
	c.open[l.ID] = true
	if !l.Waiting {
		c.end(l.Stage, ledger.Ended{EventID: l.EventID, Replay: l.Replay})
	}
}

// enriched takes an enriched event: stage enrich has settled the callback.
func (c *recaller) enriched(m bus.Stored) {
	if ev := orders.EventOrZero(m); ev.Context != nil {
		if id, n, ok := orders.DerivedFrom(ev.ID(), "enrich"); ok {
			c.end(events.Enrich, ledger.Ended{EventID: id, Replay: n})
		}
	}
}

// outcome takes an outcome event: how its message ended, and its effect.
func (c *recaller) outcome(m bus.Stored) {
	ev := orders.EventOrZero(m)
	var o events.HandleOutcome
	if ev.Context == nil || json.Unmarshal(ev.Data(), &o) != nil || o.Noun != c.k.Noun {
		return
	}
	id, n, ok := orders.DerivedFrom(ev.ID(), string(o.Outcome))
	if !ok {
		return
	}
	if o.Outcome == events.Dead && c.s.record.Letters && (o.Letter == nil || !c.open[o.Letter.ID]) {
		c.rec.Unanswered = append(c.rec.Unanswered, ledger.Ended{EventID: id, Replay: n})
	} else {
		c.end(o.Stage, ledger.Ended{EventID: id, Replay: n})
	}
	if o.Stage == events.Handle && o.DuplicateOf == "" {
		c.rec.Effects = append(c.rec.Effects, effectOf(c.k, id, n, ev, o))
	}
}

// effectOf is the effect that an outcome event tells of. Events of old versions tell no
// identities: such an effect is known by its event alone.
func effectOf(k orders.ID, eventID string, replay int, ev events.Event, o events.HandleOutcome) ledger.Effect {
	e := ledger.Effect{
		IDs: o.Identities, Generation: o.Generation, Application: o.Application, EventID: eventID, Replay: replay,
		Position: events.Extension(ev, events.ExtPosition), Rule: o.Rule, Mapping: o.Mapping, Marker: o.Marker, Like: o.Like,
		Status: o.Status, Sends: o.Sends, Begun: ev.Time(), Ended: ev.Time(),
		State: map[events.Outcome]ledger.State{
			events.Applied: ledger.Applied, events.Superseded: ledger.Superseded, events.Ignored: ledger.Ignored, events.Dead: ledger.Dead,
		}[o.Outcome],
	}
	if name := orders.EventName(k, eventID); !slices.Contains(e.IDs, name) {
		e.IDs = append(e.IDs, name)
	}
	if o.Bill != nil {
		e.Bill = &ledger.Bill{ID: o.Bill.ID, OrderNo: o.Bill.OrderNo}
	}
	if o.Outcome == events.Dead && o.Letter != nil && o.Letter.Kind == events.Uncertain {
		e.Unsure, e.Body = true, o.Body
	}
	return e
}

// unanswered adds the dead messages that the record knows, where letters are known to be lost.
func (c *recaller) unanswered(r ledger.Record) {
	if !c.s.record.Letters {
		return
	}
	for _, e := range r.Effects {
		m := ledger.Message{EventID: e.EventID, Replay: e.Replay}
		x := ledger.Ended{EventID: e.EventID, Replay: e.Replay}
		if e.State == ledger.Dead && !c.open[ledger.LetterID(c.s.Tenant, events.Handle, m, 1)] && !slices.Contains(c.rec.Unanswered, x) {
			c.rec.Unanswered = append(c.rec.Unanswered, x)
		}
	}
}
