package ledger_test

import (
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// letGo is a fault of ours in the midst of an order's step: what is in memory of
// it goes, deliveries come again in their time, and only then is the order loaded
// anew and told.
func (d *driver) letGo(a *actor, in ledger.Input) {
	if !d.up || d.actors[a.key] != a {
		return
	}
	w := d.w
	w.books.broke++
	delete(d.actors, a.key)
	for _, st := range both {
		s := w.streams[st]
		for seq := uint64(1); seq <= s.sent; seq++ {
			if s.msgs[seq-1].order == a.key && !s.acked[seq] {
				s.gaps[seq] = true
			}
		}
	}
	d.leaveBills(a.key)
	if b, ok := d.blame(a.key, in); ok {
		d.broke[a.key] = b
	}
	w.after(time.Second, func() {
		if d.up {
			d.load(a.key, w.listed[a.key])
		}
	})
}

// leaveBills gives back what the order's open call does not need.
func (d *driver) leaveBills(key int) {
	keep := ""
	for _, e := range d.w.books.durable[key].Effects {
		if e.State == ledger.Intent || e.State == ledger.InDoubt {
			keep = e.Bill.ID
		}
	}
	for _, o := range d.w.orders {
		if holder, ok := d.bays[o.bill.ID]; ok && holder == key && o.bill.ID != keep {
			delete(d.bays, o.bill.ID)
			d.freed(o.bill, key)
		}
	}
}

// blame is the message that an input was about.
func (d *driver) blame(key int, in ledger.Input) (ledger.Broke, bool) {
	b := ledger.Broke{Stage: events.Handle, Failure: failure(events.Internal)}
	switch in := in.(type) {
	case ledger.Delivered:
		b.Stage, b.Seq = in.Stage, in.Seq
	case ledger.Found:
		b.Stage, b.Seq = in.Stage, in.Seq
	case ledger.Fetched:
		b.Stage = events.Enrich
	case ledger.Empty, ledger.Freed, ledger.Resumed, ledger.Operator, ledger.Expiring:
		return b, false
	}
	if b.Seq == 0 {
		l := d.w.books.durable[key].Handle
		if b.Stage == events.Enrich {
			l = d.w.books.durable[key].Enrich
		}
		m, ok := d.w.streams[b.Stage].next(key, l.Cursor)
		if !ok {
			return b, false
		}
		b.Seq = m.Seq
	}
	return b, true
}
