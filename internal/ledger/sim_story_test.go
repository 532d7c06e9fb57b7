package ledger_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// publish carries out a Publish: letter first, then the outcome.
func (d *driver) publish(a *actor, p ledger.Publish, letter bool) bool {
	w := d.w
	if p.What == ledger.PublishEnriched {
		m := w.streams[events.Enrich].msgs[p.Seq-1]
		id := fmt.Sprintf("%s~enrich~%d", m.EventID, m.Replay)
		if p.ID != "acme/"+id {
			w.fail("enriched event of %s would be %s", m.EventID, p.ID)
		}
		if !p.Check || !w.streams[events.Handle].has(id) {
			w.publish(events.Handle, msg{a.key, ledger.Message{EventID: id, Position: m.Position, Asked: m.Asked, Forced: m.Forced}})
		}
		return true
	}
	if p.Check && p.What == ledger.PublishVerdict && w.outbox[p.ID] != nil {
		return true
	}
	if letter && (!p.Check || w.letters[p.LetterID] == nil) {
		w.writeLetter(a.key, p)
		if w.chance(w.w.kill) {
			d.die("killed between letter and outcome")
			return false
		}
	}
	if p.What == ledger.PublishVerdict {
		if w.outbox[p.ID] == nil {
			w.outbox[p.ID] = &posted{}
		}
		w.outbox[p.ID].post(w.now)
	}
	return true
}

func (w *world) writeLetter(key int, p ledger.Publish) {
	l := w.letters[p.LetterID]
	if l == nil {
		l = &letter{open: true, held: p.What == ledger.PublishLetter, p: p, order: key}
		w.letters[p.LetterID] = l
		w.after(w.between(5*time.Minute, time.Hour), func() { w.person(l) })
	}
	l.post(w.now)
}

// person deals with one letter, knowing what Kingdee really holds.
func (w *world) person(l *letter) {
	if l.held {
		w.settle(l)
		return
	}
	l.open = false
	uncertain := l.p.Verdict.Fault.Kind == events.Uncertain
	if n := w.replays(l.p.Stage, l.p.EventID); n >= 2 && !uncertain || n >= 9 {
		return
	}
	m := w.streams[l.p.Stage].msgs[l.p.Seq-1]
	m.Replay, m.Asked, m.Forced, m.Generation = w.replays(l.p.Stage, l.p.EventID)+1, true, "", 0
	n, _ := w.truth(w.specs[root(m.EventID)].group, 0)
	switch {
	case uncertain, w.rng.IntN(3) > 0:
	case n == 0 && w.rng.IntN(2) == 0:
		m.Forced = "looked at the bill"
	default:
		return
	}
	w.publish(l.p.Stage, m)
}

// replays counts those of an event at a stage.
func (w *world) replays(st events.Stage, eventID string) int {
	n := 0
	for _, m := range w.streams[st].msgs {
		if m.EventID == eventID {
			n = max(n, m.Replay)
		}
	}
	return n
}

// settle is a person's word on a held letter, said until it is taken.
func (w *world) settle(l *letter) {
	r := w.books.durable[l.order]
	head, open := r.Enrich.Head, ledger.Effect{}
	if l.p.Stage == events.Handle {
		head = r.Handle.Head
		for _, e := range r.Effects {
			if e.State == ledger.InDoubt {
				open = e
			}
		}
	}
	if head == nil || head.Seq != l.p.Seq || head.Why != ledger.Held {
		l.open = false
		if v := w.books.verdicts[l.p.Stage][l.p.Seq]; v.Posted && strings.HasPrefix(v.Reason, "about to leave") {
			l.held = false // it expired: an ordinary letter now
			w.person(l)
		}
		return
	}
	w.after(10*time.Minute, func() { w.person(l) })
	if w.owner == nil || !w.owner.up {
		return
	}
	if w.rng.IntN(4) == 0 && w.replays(l.p.Stage, l.p.EventID) < 4 {
		m := w.streams[l.p.Stage].msgs[l.p.Seq-1]
		m.Replay, m.Asked, m.Forced, m.Generation = w.replays(l.p.Stage, l.p.EventID)+1, true, "", 0
		if n, _ := w.truth(w.specs[root(m.EventID)].group, open.Generation); n == 0 && w.rng.IntN(2) == 0 {
			m.Forced, m.Generation = "looked at the bill", r.NextGeneration(m.EventID)
		}
		w.publish(l.p.Stage, m)
		return
	}
	word := []ledger.Word{ledger.TryAgain, ledger.Discard}[w.rng.IntN(2)]
	if open.State == ledger.InDoubt {
		n, _ := w.truth(w.specs[root(open.EventID)].group, open.Generation)
		word = []ledger.Word{ledger.TryAgain, ledger.SendAgain, ledger.Discard}[w.rng.IntN(3)]
		if n > 0 {
			word = []ledger.Word{ledger.TryAgain, ledger.SettleApplied}[w.rng.IntN(2)]
		}
	}
	w.books.word[l.order] = word == ledger.SendAgain
	w.books.answer = ledger.Answer{Refused: "no answer"}
	w.owner.feed(w.owner.load(l.order, false), ledger.Operator{Stage: l.p.Stage, Seq: l.p.Seq, Word: word, Who: "li", Why: "looked"})
	if w.books.answer.Refused == "" {
		l.open = false
	} else {
		w.books.word[l.order] = false
	}
}

// foul makes a world with everything in it, mostly a little of each.
func (w *world) foul() {
	p := func(often, most float64) float64 {
		if w.rng.Float64() < often {
			return w.rng.Float64() * most
		}
		return 0
	}
	w.w = weather{
		kill: p(0.6, 0.04), stop: p(0.3, 0.02), lost: p(0.4, 0.2), forget: p(0.3, 1), vague: p(0.3, 1),
		call: p(0.8, 0.8), photos: p(0.3, 0.5), read: p(0.4, 0.4), fetch: p(0.4, 0.4), misread: p(0.2, 1), evict: p(0.3, 1), broke: p(0.3, 0.05),
		control: w.rng.IntN(4) > 0, down: map[ledger.API][][2]time.Duration{},
	}
	for _, a := range []ledger.API{ledger.Detail, ledger.Reads, ledger.Uploads, ledger.Writes} {
		if w.rng.IntN(6) == 0 {
			from := w.between(0, time.Hour)
			w.w.down[a] = append(w.w.down[a], [2]time.Duration{from, from + w.between(time.Minute, 3*time.Hour)})
		}
	}
	w.s.Marker = w.rng.IntN(8) > 0
	w.s.HoldAfterLetter = w.rng.IntN(6) == 0
	w.s.CheckStatus = w.rng.IntN(4) == 0
	w.s.MaxHeld = 1 + w.rng.IntN(4)
	w.s.BillWait = time.Hour
	w.calm = begin.Add(4 * time.Hour)
	w.people(1+w.rng.IntN(3), 1+w.rng.IntN(7))
	if w.rng.Float64() < w.w.forget {
		w.after(w.between(0, 3*time.Hour), w.forgetAcks)
	}
	w.after(0, w.takeOver)
	w.after(5*time.Hour, func() {
		if w.owner.up {
			w.owner.die("restarted")
		}
	})
	if w.rng.IntN(5) == 0 {
		w.after(w.between(0, 3*time.Hour), w.expire)
	}
}

// people are the orders and what happens to them in Weiban.
func (w *world) people(orders, n int) {
	for key := range orders {
		bill := ledger.Bill{ID: fmt.Sprint("id", key), OrderNo: fmt.Sprint("fwgs-", key)}
		if key == 1 && w.s.Marker && w.rng.IntN(2) == 0 {
			bill = w.orders[0].bill
		}
		w.orders = append(w.orders, order{key, bill})
	}
	for i := range n {
		w.event(i, w.rng.IntN(orders))
	}
}

// event is one callback, perhaps with a twin, a duplicate and a forced replay.
func (w *world) event(i, key int) {
	id := fmt.Sprint("e", i)
	sp := &spec{
		group: id, order: key, ids: []string{"content-" + id, "id-" + id},
		body: json.RawMessage(fmt.Sprintf(`{"orderNo":%q,"n":%d,"a<b":1}`, w.orders[key].bill.OrderNo, i)),
		like: fmt.Sprint("like", key, w.rng.IntN(2)), noRule: w.rng.IntN(8) == 0, letter: w.rng.IntN(2) == 0,
		late: []ledger.Late{"", ledger.LateSkip, ledger.LateApply}[w.rng.IntN(3)],
	}
	at := w.between(0, 90*time.Minute)
	if w.rng.IntN(2) == 0 {
		at = w.between(0, 10*time.Second) // a crowd
	}
	sp.vendor = begin.Add(at - w.between(0, 5*time.Minute))
	if w.rng.IntN(6) == 0 {
		sp.unmapped = begin.Add(w.between(0, 3*time.Hour))
	}
	w.specs[id] = sp
	come := func(d time.Duration, m msg) { w.after(d, func() { w.publish(events.Enrich, m) }) }
	first := msg{key, ledger.Message{EventID: id}}
	come(at, first)
	if w.rng.IntN(4) == 0 {
		come(at+w.between(0, 2*window), first)
	}
	if w.rng.IntN(4) == 0 {
		twin := *sp
		twin.ids, twin.seq = []string{"row-" + id, "content-" + id, "id-t" + id}, 0
		w.specs["t"+id] = &twin
		come(at+w.between(0, time.Hour), msg{key, ledger.Message{EventID: "t" + id}})
	}
	if w.rng.IntN(8) == 0 {
		w.after(at+w.between(0, 2*time.Hour), func() { w.force(id, key) })
	}
}

// force replays an event that was applied, as a new generation.
func (w *world) force(id string, key int) {
	applied := false
	for _, e := range w.books.durable[key].Effects {
		applied = applied || e.State == ledger.Applied && root(e.EventID) == id
	}
	for _, m := range w.streams[events.Handle].msgs {
		if applied && m.EventID == id+"~enrich~0" {
			m.Replay, m.Asked, m.Forced = w.replays(events.Handle, m.EventID)+1, true, "once more"
			m.Generation = w.books.durable[key].NextGeneration(m.EventID)
			w.publish(events.Handle, msg{key, m.Message})
			return
		}
	}
}

// expire is the sweep that meets a head about to leave the stream.
func (w *world) expire() {
	for key := range w.orders {
		r := w.books.durable[key]
		for i, h := range []*ledger.Head{r.Enrich.Head, r.Handle.Head} {
			st := both[i]
			if h != nil && w.owner != nil && w.owner.up {
				w.owner.feed(w.owner.load(key, false), ledger.Expiring{Stage: st, Seq: h.Seq})
			}
		}
	}
}
