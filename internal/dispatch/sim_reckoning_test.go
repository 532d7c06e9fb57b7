package dispatch_test

import (
	"context"
	"fmt"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/testwing/fakekingdee"
)

// close is the reckoning once everything is at rest.
func (b *books) close() {
	b.read()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onceEach()
	b.inTurn()
	b.records()
	b.stored()
	b.w.accident.told(b.w)
	if n := b.w.weiban.Breaches(); len(n) > 0 {
		b.w.fail("Weiban's limits were broken: %+v", n[0])
	}
}

// onceEach: every message of a stage has one end, every end is of one, and a dead
// one has its letter.
func (b *books) onceEach() {
	of := map[string]bool{}
	for _, i := range b.inputs {
		if of[i.what()] {
			b.w.fail("event %s came twice", i.what())
		}
		of[i.what()] = true
		n := b.counted(i)
		if b.next(i) != "" {
			n++
		}
		if n == 0 && b.endedBefore(i) {
			n++
		}
		// What died is done again where its letter is gone, and where Weiban sends it once more.
		if more := b.w.accident.hits(bus.Dead) || b.w.accident.hits(bus.Callbacks); n == 0 || n > 1 && !more {
			b.w.fail("%s %d, event %s, has %d ends: %v", i.stage, i.seq, i.what(), n, b.ends[i.what()])
		}
	}
	for what, ends := range b.ends {
		if !of[what] && !b.w.after() {
			b.w.fail("the end of %s is of nothing", what)
		}
		if !b.answered(ends) {
			b.w.fail("dead event %s has no letter that was answered: %v", what, ends)
		}
	}
}

// counted is how many ends an input had. Made again after an accident, it may be known
// by its event: that is no end more.
func (b *books) counted(i input) int {
	ends := b.ends[i.what()]
	n := len(ends)
	for _, e := range ends {
		if b.w.after() && n > 1 && e.DuplicateOf == i.id {
			n--
		}
	}
	return n
}

// inTurn: what follows in a stream follows in the next one, and nothing is late
// but behind what overtook it before it was there.
func (b *books) inTurn() {
	callback, last := map[string]uint64{}, map[string]uint64{}
	applied := map[string][]input{}
	for _, i := range b.inputs {
		if i.stage == events.Enrich && i.replay == 0 {
			callback[i.id] = i.seq
		}
	}
	for _, i := range b.inputs {
		if i.stage != events.Handle || i.replay != 0 || !strings.HasSuffix(i.id, "~enrich~0") {
			continue
		}
		if b.w.after() && (b.w.accident.alive || i.seq < b.mark) {
			continue // who goes on enriches what is new until they notice what is gone
		}
		seq := callback[rootOf(i.id)]
		if seq < last[i.key] {
			b.w.fail("order %s: callback %d is enriched behind %d", i.key, seq, last[i.key])
		}
		last[i.key] = seq
		for _, e := range b.ends[i.what()] {
			late := e.Outcome == events.Superseded || e.Outcome == events.Dead && strings.HasPrefix(e.Reason, "a later event")
			if late && !b.w.after() && !b.overtaken(i, applied[i.key]) {
				b.w.fail("order %s: %s is late behind nothing", i.key, i.id)
			}
			if e.Outcome == events.Applied {
				applied[i.key] = append(applied[i.key], i)
			}
		}
	}
}

// overtaken says whether a later event of the order stood before this one, or was
// replayed.
func (b *books) overtaken(i input, applied []input) bool {
	for _, a := range applied {
		if a.position > i.position {
			return true
		}
	}
	for _, r := range b.inputs {
		if r.key == i.key && r.stage == events.Handle && (r.replay > 0 || !strings.HasSuffix(r.id, "~0")) {
			return true
		}
	}
	return false
}

// records: one handling record an application, where applied and nowhere else, and
// those of one order in the order of its events.
func (b *books) records() {
	want := map[string]int{}    // by text
	markers := map[string]int{} // of applied events
	for _, i := range b.inputs {
		text := b.texts[rootOf(i.id)]
		if i.stage != events.Handle {
			continue
		}
		for _, e := range b.ends[i.what()] {
			if e.Outcome == events.Applied {
				want[text]++
				markers[e.Marker]++
			}
		}
	}
	have, last, marked := map[string]int{}, map[string]string{}, map[string]int{}
	for n, r := range b.w.kingdee.Records("") {
		if a := &b.w.accident; n == a.made && len(a.stores) > 1 {
			clear(last) // of what was applied in the time that the whole store has lost nothing can know
		}
		text := note(r)
		have[text]++
		if b.w.weather.ledger.Marker {
			m := markerIn(r)
			if marked[m]++; marked[m] > 1 || markers[m] != 1 && !b.w.after() {
				b.w.fail("marker %q of record %d stands in %d records and %d applied events", m, r.Seq, marked[m], markers[m])
			}
		}
		order, position := b.orders[text], b.position[text]
		if b.w.after() {
			position, _, _ = strings.Cut(position, "-") // a callback that comes again has another sequence
		}
		if !b.w.people.spoken[text] && position < last[order] {
			b.w.fail("order %s: record %d (%s) stands behind a later one", order, r.Seq, text)
		}
		last[order] = max(last[order], position)
	}
	for text := range b.orders {
		if have[text] != want[text] && !b.w.after() || have[text] == 0 && want[text] > 0 {
			b.w.fail("%s: %d handling records of %d applied events", text, have[text], want[text])
		}
		if n := have[text]; n > 1+b.w.people.forced[text] {
			b.w.fail("%s: %d handling records", text, n)
		}
	}
}

func markerIn(r fakekingdee.DealRecord) string {
	return r.Remark[max(0, strings.LastIndex(r.Remark, "[wb:")):]
}

// stored: no call open, nothing that waits.
func (b *books) stored() {
	ctx := context.Background()
	_ = b.w.state.Load(ctx, "order.acme", func(e bus.Entry) error { // none of its own
		r, err := ledger.Decode(e.Value)
		// What a record says may lie behind its cursor may have been looked for since.
		if err != nil || r.Enrich.Head != nil || r.Handle.Head != nil {
			b.w.fail("%s is open: %v %s", e.Key, err, e.Value)
		}
		for _, x := range r.Effects {
			if x.State == ledger.Intent || x.State == ledger.InDoubt {
				b.w.fail("%s: %s is %s", e.Key, x.EventID, x.State)
			}
		}
		return nil
	})
	list, _, err := b.w.box.Page(ctx, deadletter.Filter{}, 0, 1)
	if err != nil || len(list) > 0 {
		b.w.fail("letters are open: %s", fmt.Sprint(list, err))
	}
}
