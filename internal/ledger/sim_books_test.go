package ledger_test

import (
	"encoding/json"
	"fmt"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// books hold every promise to account while the world goes on.
type books struct {
	durable   map[int]ledger.Record
	verdicts  map[events.Stage]map[uint64]ended
	sends     map[string]*sends
	lastCall  map[int]uint64
	inFlight  map[int]ledger.Call
	word      map[int]bool   // a person said: send again
	force     map[int]bool   // a person forced what is in doubt
	spent     map[string]int // forced replays used up, by event
	alerts    map[ledger.Alarm]int
	answer    ledger.Answer
	calls     int
	broke     int
	mayDouble bool // a call went out that nothing could stop
}

// ended is how a message ended, as its record said.
type ended struct {
	order int
	ledger.Verdict
	enriched   bool
	group      string
	generation int
	body       json.RawMessage
}

// sends are the calls of one application of an effect.
type sends struct {
	n        int
	body     json.RawMessage
	deadline time.Time // of the newest that may have run
	before   time.Time // that deadline before the newest call
	absent   time.Time // of the last look, if it found nothing and could have
}

type sent struct {
	group, like string
	generation  int
}

func newBooks() books {
	return books{
		durable: map[int]ledger.Record{}, sends: map[string]*sends{}, lastCall: map[int]uint64{},
		inFlight: map[int]ledger.Call{}, word: map[int]bool{}, force: map[int]bool{}, spent: map[string]int{}, alerts: map[ledger.Alarm]int{},
		verdicts: map[events.Stage]map[uint64]ended{events.Enrich: {}, events.Handle: {}},
	}
}

// store is the bucket: a confirmed write, wait key first.
func (w *world) store(key int, wr ledger.Write) {
	if wr.List {
		w.listed[key] = true
	}
	data, err := wr.Record.Encode()
	if err != nil || len(data) > ledger.MaxRecord {
		w.fail("record of order %d: %d bytes, %v", key, len(data), err)
		return
	}
	if wr.Record.Open() && !w.listed[key] {
		w.fail("order %d waits and is not listed", key)
	}
	old := w.books.durable[key]
	w.bucket[key] = data
	w.books.durable[key] = wr.Record
	w.books.forced(w, key, old, wr.Record)
	w.books.advance(w, key, events.Enrich, old.Enrich, wr.Record.Enrich, wr.Record)
	w.books.advance(w, key, events.Handle, old.Handle, wr.Record.Handle, wr.Record)
}

// forced: each forced replay lets what is in doubt be sent once.
func (b *books) forced(w *world, key int, old, now ledger.Record) {
	word := func(r ledger.Record) (string, bool) {
		for _, e := range r.Effects {
			if e.Word {
				return e.EventID, true
			}
		}
		return "", false
	}
	id, has := word(now)
	if _, had := word(old); had || !has {
		return
	}
	b.spend(w, key, id)
	b.force[key] = true
}

// spend uses up one forced replay of an event.
func (b *books) spend(w *world, key int, id string) {
	n := 0
	for _, m := range w.streams[events.Handle].msgs {
		if m.EventID == id && m.Forced != "" {
			n++
		}
	}
	if b.spent[id]++; b.spent[id] > n {
		w.fail("order %d: %s is sent by force %d times, by %d replays", key, id, b.spent[id], n)
	}
}

// advance: a cursor moves by one message of the order, and with a verdict.
func (b *books) advance(w *world, key int, st events.Stage, from, to ledger.Progress, r ledger.Record) {
	switch {
	case to.Cursor == from.Cursor:
		return
	case to.Cursor < from.Cursor:
		w.fail("order %d: cursor of %s goes back", key, st)
		return
	}
	if m, ok := w.streams[st].next(key, from.Cursor); !ok || m.Seq != to.Cursor {
		w.fail("order %d: cursor of %s jumps from %d to %d over %d", key, st, from.Cursor, to.Cursor, m.Seq)
		return
	}
	e := ended{order: key, enriched: st == events.Enrich}
	if to.Last != nil && to.Last.Seq == to.Cursor {
		e.Verdict, e.enriched = *to.Last, false
	} else if st == events.Handle {
		w.fail("order %d: %d of handle is settled without a verdict", key, to.Cursor)
	}
	for _, x := range r.Effects {
		if st == events.Handle && x.Seq == to.Cursor && x.State == ledger.Applied {
			e.group, e.generation, e.body = w.specs[root(x.EventID)].group, x.Generation, x.Body
		}
	}
	if _, twice := b.verdicts[st][to.Cursor]; twice {
		w.fail("%d of %s has two verdicts", to.Cursor, st)
	}
	b.verdicts[st][to.Cursor] = e
}

// ack: only what is settled, waits on record, or follows a recorded head.
func (b *books) ack(w *world, key int, st events.Stage, seq uint64) {
	l := b.durable[key].Enrich
	if st == events.Handle {
		l = b.durable[key].Handle
	}
	if seq > l.Cursor && (l.Head == nil || seq < l.Head.Seq) {
		w.fail("order %d: %d of %s is acknowledged and nowhere on record", key, seq, st)
	}
	w.streams[st].acked[seq] = true
}

// call: never without its intent on record, never out of order, never again
// without a look that could have found it.
func (b *books) call(w *world, d *driver, key int, c ledger.Call) sent {
	b.calls++
	r := b.durable[key]
	var e ledger.Effect
	for _, x := range r.Effects {
		// A call that waits for its time goes out although its order was let go.
		if x.Seq == c.Seq && (x.State == ledger.Intent || x.State == ledger.InDoubt && x.Deadline.Equal(c.Deadline)) {
			e = x
		}
	}
	sp := w.specs[root(c.EventID)]
	out := sent{group: sp.group, like: sp.like, generation: e.Generation}
	if d.epoch != w.epoch || !d.up {
		return out // excluded by nobody; the sweep's matter
	}
	if e.Bill == nil || e.Marker != c.Marker || !same(e.Body, c.Body) || !e.Deadline.Equal(c.Deadline) || *e.Bill != c.Bill {
		w.fail("order %d: call of %d without its intent on record", key, c.Seq)
	}
	if w.now.Before(d.quiet) || w.now.After(c.Deadline) {
		w.fail("order %d: call while a dead owner's may still run, or beyond its deadline", key)
	}
	if c.Seq < b.lastCall[key] {
		w.fail("order %d: call of %d after that of %d", key, c.Seq, b.lastCall[key])
	}
	b.lastCall[key] = c.Seq
	m := w.streams[events.Handle].msgs[c.Seq-1]
	forced := m.Forced != "" || r.Handle.Head != nil && r.Handle.Head.Forced != ""
	if m.Position < r.Applied && sp.late != ledger.LateApply && !forced && !b.word[key] {
		w.fail("order %d: %s is late and is sent", key, c.EventID)
	}
	for other, x := range b.inFlight {
		if other != key && x.Bill == c.Bill && w.now.Before(x.Deadline) {
			w.fail("two calls at once on bill %s", c.Bill.ID)
		}
	}
	b.inFlight[key] = c
	b.again(w, key, fmt.Sprint(out.group, "/", e.Generation, "/", e.Application), c)
	return out
}

// left: who gives a bill back has no call open on record.
func (b *books) left(w *world, key int) {
	for _, e := range b.durable[key].Effects {
		if e.State == ledger.Intent || e.State == ledger.InDoubt {
			w.fail("order %d leaves its bill with %s %s on record", key, e.EventID, e.State)
		}
	}
}

// again holds a resend to its conditions.
func (b *books) again(w *world, key int, id string, c ledger.Call) {
	s := b.sends[id]
	if s == nil {
		s = &sends{body: c.Body}
		b.sends[id] = s
	}
	if s.n > 0 {
		looked := !s.absent.IsZero() && !s.absent.Before(s.deadline.Add(w.s.Looks[len(w.s.Looks)-1]))
		switch {
		case looked, b.word[key], b.force[key]:
		case w.streams[events.Handle].msgs[c.Seq-1].Forced != "":
			b.spend(w, key, c.EventID)
		default:
			w.fail("order %d: %s is sent again without a look that could have found it", key, id)
		}
		if !same(s.body, c.Body) {
			w.fail("order %d: %s is sent again with another body", key, id)
		}
	}
	b.word[key], b.force[key] = false, false
	s.n++
	s.before, s.deadline, s.absent = s.deadline, c.Deadline, time.Time{}
}

// ended: the owner has heard of its call.
func (b *books) ended(key int, f *events.Failure) {
	c := b.inFlight[key]
	delete(b.inFlight, key)
	if f == nil || f.Kind == events.Uncertain {
		return
	}
	for _, s := range b.sends {
		if s.n > 0 && s.deadline.Equal(c.Deadline) && same(s.body, c.Body) {
			s.n-- // nothing ran
			s.deadline = s.before
		}
	}
}

func (b *books) look(w *world, key int, l ledger.Look, in ledger.Looked) {
	if l.Sweep || in.Failure != nil || !in.Understood || !in.Control || in.Found > 0 {
		return
	}
	for _, s := range b.sends {
		if same(s.body, l.Body) {
			s.absent = w.now
		}
	}
}

// close is the reckoning once everything is at rest.
func (w *world) close() {
	for _, st := range both {
		s := w.streams[st]
		for _, m := range s.msgs {
			v, ok := w.books.verdicts[st][m.Seq]
			if !ok {
				w.fail("%s %d (%s r%d of order %d) has no verdict", st, m.Seq, m.EventID, m.Replay, m.order)
				return
			}
			w.published(st, m, v)
		}
	}
	w.reckonDeals()
	for key := range len(w.orders) {
		if w.books.durable[key].Open() && w.listed[key] {
			w.fail("order %d stays open", key)
		}
	}
}

// published: each verdict's words are out, once.
func (w *world) published(st events.Stage, m msg, v ended) {
	if v.enriched {
		n := 0
		for _, x := range w.streams[events.Handle].msgs {
			if x.EventID == fmt.Sprintf("%s~enrich~%d", m.EventID, m.Replay) && x.Replay == 0 {
				n++
			}
		}
		if n != 1 {
			w.fail("%s r%d is enriched %d times", m.EventID, m.Replay, n)
		}
		return
	}
	id := fmt.Sprintf("acme/%s~%s~%d", m.EventID, v.Outcome, m.Replay)
	if p := w.outbox[id]; p == nil || p.n != 1 {
		w.fail("outcome %s is not published exactly once: %+v", id, p)
	}
	if v.Outcome != events.Dead {
		return
	}
	id = fmt.Sprintf("acme/%s~%s~%d", m.EventID, st, m.Replay)
	if v.Letter > 1 {
		id += fmt.Sprintf(".%d", v.Letter)
	}
	if l := w.letters[id]; l == nil || l.n != 1 {
		w.fail("letter %s is not published exactly once: %+v", id, l)
	}
}

// reckonDeals: one record a generation, where applied and nowhere else.
func (w *world) reckonDeals() {
	if w.books.mayDouble || w.w.afterLook {
		return
	}
	applied := map[string]bool{}
	for _, v := range w.books.verdicts[events.Handle] {
		if v.Outcome != events.Applied {
			continue
		}
		n, body := w.truth(v.group, v.generation)
		if n != 1 || !same(body, v.body) {
			w.fail("%s generation %d is applied and has %d records", v.group, v.generation, n)
		}
		applied[fmt.Sprint(v.group, v.generation)] = true
	}
	for _, d := range w.kingdee.deals {
		if !applied[fmt.Sprint(d.group, d.generation)] {
			w.fail("%s generation %d has a record and is not applied", d.group, d.generation)
		}
	}
}
