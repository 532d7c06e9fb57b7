package ledger_test

import (
	"bytes"
	"encoding/json"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// kingdee is the simulated ERP: handling records, and what it did with calls.
type kingdee struct {
	deals   []deal
	control bool // a look has found one of our records
}

// deal is one handling record.
type deal struct {
	bill, marker, like string
	body               json.RawMessage
	group              string
	generation         int
}

func failure(k events.Kind) *events.Failure { return &events.Failure{Kind: k, Reason: string(k)} }

// down reports whether an API is in an outage now.
func (w *world) down(a ledger.API) bool {
	for _, o := range w.w.down[a] {
		if t := w.now.Sub(begin); t >= o[0] && t < o[1] {
			return true
		}
	}
	return false
}

// fetch is Weiban's detail call.
func (w *world) fetch() *events.Failure {
	switch {
	case w.down(ledger.Detail):
		return failure(events.Unavailable)
	case w.chance(w.w.fetch):
		return w.readFault()
	}
	return nil
}

func (w *world) readFault() *events.Failure {
	kinds := []events.Kind{
		events.Unavailable, events.Unavailable, events.Throttled, events.Denied,
		events.Missing, events.Internal, events.Interrupted,
	}
	return failure(kinds[w.rng.IntN(len(kinds))])
}

// plan is the mapping.
func (w *world) plan(m ledger.Message) ledger.Planned {
	sp := w.specs[root(m.EventID)]
	p := ledger.Planned{
		Rule: "rule", Mapping: "v1", Late: sp.late, Bill: w.orders[sp.order].bill, IDs: sp.ids,
		Body: sp.body, Like: sp.like, Status: "F",
	}
	p.Bill.ID = ""
	switch {
	case sp.noRule:
		p.NoRule, p.Otherwise = true, sp.letter
	case w.now.Before(sp.unmapped):
		p.Failure = failure(events.Unmapped)
	}
	return p
}

// photos are the pictures that a call needs first.
func (w *world) photos() *events.Failure {
	switch {
	case w.down(ledger.Uploads):
		return failure(events.Unavailable)
	case w.chance(w.w.photos):
		return w.photoFault()
	}
	return nil
}

func (w *world) photoFault() *events.Failure {
	kinds := []events.Kind{
		events.Rejected, events.Internal, events.Unavailable, events.Throttled, events.Denied, events.Interrupted,
	}
	return failure(kinds[w.rng.IntN(len(kinds))])
}

// answer is what a call makes of Kingdee: when it commits (never if negative),
// when the caller hears, and what.
type answer struct {
	commit, heard time.Duration
	failure       *events.Failure
}

// handleOrder decides on one call.
func (w *world) handleOrder(c ledger.Call) answer {
	quick := w.between(50*time.Millisecond, 3*time.Second)
	last := c.Deadline.Sub(w.now)
	if w.down(ledger.Writes) {
		return answer{-1, quick, failure(events.Unavailable)}
	}
	if !w.chance(w.w.call) {
		return answer{quick / 2, quick, nil}
	}
	looks := last + w.s.Looks[len(w.s.Looks)-1]
	if w.w.afterLook && w.rng.IntN(3) == 0 {
		return answer{looks + w.between(time.Second, 30*time.Second), last, failure(events.Uncertain)}
	}
	switch w.rng.IntN(10) {
	case 0: // commits, the answer never comes
		return answer{w.between(0, last), last, failure(events.Uncertain)}
	case 1: // never arrives
		return answer{-1, last, failure(events.Uncertain)}
	case 2: // cut at once, commits much later
		return answer{w.between(0, looks-time.Millisecond), quick, failure(events.Uncertain)}
	case 3: // garbage
		return answer{quick / 2, quick, failure(events.Uncertain)}
	case 4:
		return answer{-1, quick, failure(events.Uncertain)}
	case 5:
		return answer{-1, quick, failure(events.Rejected)}
	case 6:
		return answer{-1, quick, failure(events.Throttled)}
	case 7:
		return answer{-1, quick, failure(events.Denied)}
	case 8:
		return answer{-1, quick, failure(events.Interrupted)}
	default:
		return answer{-1, quick, failure(events.Unavailable)}
	}
}

// commit adds the handling record.
func (w *world) commit(d deal) {
	w.kingdee.deals = append(w.kingdee.deals, d)
	w.logf("kingdee commits %s %s", d.group, d.marker)
}

// loadList searches the handling records.
func (w *world) loadList(l ledger.Look) ledger.Looked {
	out := ledger.Looked{Sweep: l.Sweep, Control: w.kingdee.control || w.w.control}
	switch {
	case w.down(ledger.Reads):
		out.Failure = failure(events.Unavailable)
		return out
	case w.chance(w.w.read):
		out.Failure = w.readFault()
		return out
	case w.chance(w.w.misread):
		return out
	}
	out.Understood = true
	for _, d := range w.kingdee.deals {
		if d.bill == l.Bill.ID && (l.Marker != "" && d.marker == l.Marker || l.Marker == "" && d.like == l.Like) {
			out.Found++
		}
	}
	if l.Marker == "" {
		out.Found -= l.Applied
	}
	if out.Found > 0 {
		w.kingdee.control = true
	}
	return out
}

// truth is how many records an effect's generation really has.
func (w *world) truth(group string, generation int) (n int, body json.RawMessage) {
	for _, d := range w.kingdee.deals {
		if d.group == group && d.generation == generation {
			n++
			body = d.body
		}
	}
	return n, body
}

func same(a, b json.RawMessage) bool { return bytes.Equal(a, b) }
