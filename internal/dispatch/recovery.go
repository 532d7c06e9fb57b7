package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

// recovery is what the streams tell of an order whose record may not fit them; nil
// where it fits. A record that was never written is that of a new order once all
// that was stored before has been looked at again.
func (a *actor) recovery(ctx context.Context, r ledger.Record) (*ledger.Recovery, error) {
	o := a.o
	if r.NeedsRecovery(o.store.History, o.recheck(a.key.Noun)) {
		if r.Unknown() && !o.rechecking() {
			return nil, nil
		}
		return a.recall(ctx, r, ledger.Recovery{Lost: o.lost(), Recheck: o.recheck(a.key.Noun)})
	}
	return nil, a.witness(ctx, r)
}

// witness makes sure that the last message that each stage settled, and the one that it
// waits with, lie where the record says. Another message in their place means that the
// stream went back: the error ends the tenure.
func (a *actor) witness(ctx context.Context, r ledger.Record) error {
	for _, s := range ledger.Stages {
		l := r.Progress(s)
		if err := a.o.witness(ctx, s, l.Cursor, l.At); err != nil {
			return err
		}
		if h := l.Head; h != nil {
			if err := a.o.witness(ctx, s, h.Seq, h.At); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *owner) witness(ctx context.Context, s events.Stage, seq uint64, at int64) error {
	stream := orders.StreamOf(s)
	if at == 0 {
		return nil
	}
	m, err := o.d.o.Ports.Log.Get(ctx, stream, seq)
	switch {
	case err == nil && m.Time.UnixNano() == at:
		return nil
	case err == nil:
		return o.misfit(ctx, stream, "holds another message under number "+strconv.FormatUint(seq, 10))
	case !errors.Is(err, bus.ErrNotFound):
		return err
	}
	return o.held(ctx, s, seq)
}

// held makes sure that a message which its stream does not give was trimmed or is over
// age.
func (o *owner) held(ctx context.Context, s events.Stage, seq uint64) error {
	u, err := o.d.o.Ports.Log.Usage(ctx, orders.StreamOf(s))
	if err != nil {
		return err
	}
	if seq < u.First {
		return o.fits(ctx) // by whom it was removed, the store's record knows
	}
	return o.misfit(ctx, orders.StreamOf(s), "has lost message "+strconv.FormatUint(seq, 10))
}

// misfit begins a new history of the store, and ends the tenure.
func (o *owner) misfit(ctx context.Context, stream, what string) error {
	if err := o.d.keeper.Misfit(ctx, o.store.History, stream, what); err != nil {
		return err
	}
	o.tenure.Lost()
	return ownership.ErrLost
}

// recall asks the streams for all that they tell of an order.
func (a *actor) recall(ctx context.Context, r ledger.Record, rec ledger.Recovery) (*ledger.Recovery, error) {
	o, k := a.o, a.key
	c := &recaller{o: o, k: k, rec: &rec, open: map[string]bool{}}
	closed, err := o.audit.of(ctx, o, k)
	if err != nil {
		return nil, err
	}
	every := "gongdan." + events.Token(o.t.Name) + "."
	key := events.Token(k.Key)
	type source struct {
		stream, subject string
		take            func(bus.Stored)
	}
	list := []source{
		{deadletter.Stream, every + "dead.*.*." + string(k.Noun) + "." + key, c.letter},
		{bus.Events, every + "event.enriched." + string(k.Noun) + ".*." + key, c.enriched},
	}
	for i, s := range ledger.Stages {
		for _, subject := range events.OrderFilters(o.t.Name, s, k.Noun, k.Key) {
			list = append(list, source{orders.StreamOf(s), subject, func(m bus.Stored) {
				rec.Stored[i] = append(rec.Stored[i], orders.Read(s, m, a.o.d.o.MaxFuture).EventID)
			}})
		}
	}
	list = append(list, source{bus.Events, every + "event.kingdee.handle_order.*." + key, c.outcome})
	for _, x := range closed {
		if x.ends {
			c.end(x.stage, x.Ended)
		}
		c.closed(x)
		c.open[x.letter] = true // as good as open: somebody has answered it
	}
	for _, s := range list {
		if err := o.each(ctx, s.stream, s.subject, func(m bus.Stored) bool { s.take(m); return true }); err != nil {
			return nil, err
		}
	}
	c.unanswered(r)
	return c.rec, nil
}

// each visits the messages of a subject until visit has seen enough.
func (o *owner) each(ctx context.Context, stream, subject string, visit func(bus.Stored) (more bool)) error {
	for from := uint64(1); ; {
		m, err := o.d.o.Ports.Log.Next(ctx, stream, subject, from)
		if errors.Is(err, bus.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !visit(m) {
			return nil
		}
		from = m.Sequence + 1
	}
}

// recaller gathers what is told of one order.
type recaller struct {
	o    *owner
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

// enriched: the callback was read; a replay's number stands behind the step.
func (c *recaller) enriched(m bus.Stored) {
	if ev := orders.EventOrZero(m); ev.Context != nil {
		if id, n, ok := orders.DerivedFrom(ev.ID(), "enrich"); ok {
			c.end(events.Enrich, ledger.Ended{EventID: id, Replay: n})
		}
	}
}

// outcome takes what an outcome event tells: the message has ended, and its effect.
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
	if o.Outcome == events.Dead && c.o.store.Letters && (o.Letter == nil || !c.open[o.Letter.ID]) {
		c.rec.Unanswered = append(c.rec.Unanswered, ledger.Ended{EventID: id, Replay: n})
	} else {
		c.end(o.Stage, ledger.Ended{EventID: id, Replay: n})
	}
	if o.Stage == events.Handle && o.DuplicateOf == "" {
		c.rec.Effects = append(c.rec.Effects, effectOf(c.k, id, n, ev, o))
	}
}

// effectOf is the effect that an outcome event tells of. One of a version that told
// no identities is known by its event alone.
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

// unanswered adds the dead of the record itself, where letters are known to be gone.
func (c *recaller) unanswered(r ledger.Record) {
	if !c.o.store.Letters {
		return
	}
	for _, e := range r.Effects {
		m := ledger.Message{EventID: e.EventID, Replay: e.Replay}
		x := ledger.Ended{EventID: e.EventID, Replay: e.Replay}
		if e.State == ledger.Dead && !c.open[ledger.LetterID(c.o.t.Name, events.Handle, m, 1)] && !slices.Contains(c.rec.Unanswered, x) {
			c.rec.Unanswered = append(c.rec.Unanswered, x)
		}
	}
}
