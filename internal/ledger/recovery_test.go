package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// mending is one order whose record does not fit its streams, and a driver that does
// at once what the ledger asks for.
type mending struct {
	t         *rapid.T
	s         ledger.Settings
	o         ledger.Order
	now       time.Time
	streams   [2][]ledger.Message
	ended     map[string]bool // by stage and event: begun again is wrong
	committed map[string]bool // by root of the event: Kingdee holds its record
	control   bool
	covered   bool // calls may have been made that no record tells of

	queue    []ledger.Input
	wake     time.Time
	looked   map[string]bool // markers
	calls    map[string]int
	verdicts map[string]int // by stage and event
	letters  map[string]int // by event
}

func name(st events.Stage, event string) string { return string(st) + " " + event }

func (m *mending) feed(in ledger.Input) {
	var acts []ledger.Action
	m.o, acts = ledger.Step(m.o, ledger.Moment{At: m.now}, in, m.s)
	open := 0
	for _, e := range m.o.Record.Effects {
		if e.State == ledger.Intent || e.State == ledger.InDoubt {
			open++
		}
	}
	if open > 1 {
		m.t.Fatalf("%d calls are open at once: %+v", open, m.o.Record.Effects)
	}
	for _, l := range []ledger.Progress{m.o.Record.Enrich, m.o.Record.Handle} {
		if l.At != 0 && uint64(l.At) != l.Cursor {
			m.t.Fatalf("the witness of message %d stands beside cursor %d", l.At, l.Cursor)
		}
	}
	for _, a := range acts {
		m.act(a)
	}
}

func (m *mending) act(a ledger.Action) {
	push := func(in ledger.Input) { m.queue = append(m.queue, in) }
	switch a := a.(type) {
	case ledger.Next:
		list := m.streams[slices.Index(both, a.Stage)]
		if i := slices.IndexFunc(list, func(x ledger.Message) bool { return x.Seq > a.After }); i >= 0 {
			push(ledger.Found{Stage: a.Stage, Message: list[i]})
		} else {
			push(ledger.Empty{Stage: a.Stage})
		}
	case ledger.Fetch:
		m.begun(events.Enrich, a.Seq)
		push(ledger.Fetched{})
	case ledger.Plan:
		event := m.begun(events.Handle, a.Seq)
		push(ledger.Planned{Rule: "r", Bill: ledger.Bill{OrderNo: "fwgs-1"}, IDs: []string{"row-" + root(event)}, Body: []byte(`{"n":1}`), Late: ledger.LateApply})
	case ledger.ReadBill:
		push(ledger.BillRead{Bill: ledger.Bill{ID: "77", OrderNo: "fwgs-1"}})
	case ledger.Enter:
		push(ledger.Entered{})
	case ledger.Look:
		m.looked[a.Marker] = true
		in := ledger.Looked{Sweep: a.Sweep, Understood: true, Control: m.control}
		if m.committed[m.marked(a.Marker)] {
			in.Found, in.Marker = 1, a.Marker
		}
		push(in)
	case ledger.Call:
		m.called(a)
		push(ledger.Called{})
	case ledger.Wake:
		m.wake = a.At
	case ledger.Publish:
		m.published(a)
	}
}

// begun: what has ended is never begun.
func (m *mending) begun(st events.Stage, seq uint64) string {
	list := m.streams[slices.Index(both, st)]
	x := list[slices.IndexFunc(list, func(x ledger.Message) bool { return x.Seq == seq })]
	if m.ended[name(st, x.EventID)] {
		m.t.Fatalf("%s of %s had ended, and is begun", x.EventID, st)
	}
	return x.EventID
}

// marked is the event of a marker.
func (m *mending) marked(marker string) string {
	for i := range 9 {
		if id := fmt.Sprint("e", i); ledger.Marker("acme", "row-"+id, 0, 0) == marker {
			return id
		}
	}
	return ""
}

func (m *mending) called(a ledger.Call) {
	id := root(a.EventID)
	m.calls[id]++
	switch {
	case a.Marker != ledger.Marker("acme", "row-"+id, 0, 0):
		m.t.Fatalf("the call of %s carries another's marker", id)
	case m.committed[id] || m.calls[id] > 1:
		m.t.Fatalf("%s is called again", id)
	case m.covered && !m.looked[a.Marker]:
		m.t.Fatalf("%s is called without a look", id)
	case m.o.Record.Forgot && !m.control:
		m.t.Fatalf("%s is called, and nothing proves that the look counts", id)
	}
	m.committed[id] = true
}

func (m *mending) published(p ledger.Publish) {
	if p.LetterID != "" {
		m.letters[p.EventID]++
	}
	m.verdicts[name(p.Stage, p.EventID)]++
	if p.What != ledger.PublishEnriched {
		return
	}
	for _, x := range m.streams[1] {
		if x.EventID == p.EventID+"~enrich~0" {
			return // looked for before it is published
		}
	}
	x := ledger.Message{Seq: uint64(len(m.streams[1]) + 100), At: int64(len(m.streams[1]) + 100), EventID: p.EventID + "~enrich~0", Position: events.Position(begin, p.Seq)}
	m.streams[1] = append(m.streams[1], x)
	m.queue = append(m.queue, ledger.Delivered{Stage: events.Handle, Message: x})
}

// A record that does not fit, of every kind: what has ended is not begun, what has not
// gets one verdict or waits with one letter, and no call is made twice, unseen or unproved.
func TestRecovery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &mending{
			t: t, s: ledger.Defaults("acme"), now: begin, ended: map[string]bool{}, committed: map[string]bool{}, looked: map[string]bool{},
			calls: map[string]int{}, verdicts: map[string]int{}, letters: map[string]int{},
			control: rapid.Bool().Draw(t, "control"), covered: true,
		}
		m.s.Jitter, m.s.Marker = 0, true
		forgot := rapid.Bool().Draw(t, "forgot")
		rec := &ledger.Recovery{Lost: forgot, Recheck: [2]uint64{50, 50}}
		for i := range rapid.IntRange(0, 4).Draw(t, "callbacks") {
			m.callback(rec, i+1, forgot)
		}
		r := ledger.Record{}
		orphan := ""
		if !forgot {
			r, orphan = m.record(rec)
		}
		m.o = ledger.Load(r)
		d := ledger.Doubtful{Stale: ledger.Moments{Callbacks: 50, Events: 500, Time: begin}}
		if forgot {
			d = ledger.Doubtful{Lost: d.Stale}
		}
		m.feed(ledger.Takeover{History: "b", Doubtful: d, Recovery: rec})
		for range 500 {
			switch {
			case len(m.queue) > 0:
				in := m.queue[0]
				m.queue = m.queue[1:]
				m.feed(in)
			case !m.wake.IsZero():
				m.now, m.wake = m.wake, time.Time{}
				m.feed(ledger.Timer{})
			}
		}
		m.reckon(orphan)
	})
}

// callback adds one to the streams, as far as it had come.
func (m *mending) callback(rec *ledger.Recovery, i int, forgot bool) {
	id, next := fmt.Sprint("e", i), fmt.Sprint("e", i, "~enrich~0")
	m.streams[0] = append(m.streams[0], ledger.Message{Seq: uint64(i), At: int64(i), EventID: id, Position: events.Position(begin, uint64(i))})
	rec.Stored[0] = append(rec.Stored[0], id)
	end := func(st int, event string) {
		rec.Ended[st] = append(rec.Ended[st], ledger.Ended{EventID: event})
		m.ended[name(both[st], event)] = true
	}
	switch rapid.SampledFrom([]string{"new", "died", "enriched", "called", "applied"}).Draw(m.t, id) {
	case "new":
		return
	case "died":
		end(0, id)
		return
	case "called":
		m.committed[id] = true // no record and no event tells it
	case "applied":
		m.committed[id] = true
		end(1, next)
		rec.Effects = append(rec.Effects, ledger.Effect{
			IDs: []string{"row-" + id}, EventID: next, State: ledger.Applied, Marker: ledger.Marker("acme", "row-"+id, 0, 0), Sends: 1,
		})
	}
	end(0, id)
	rec.Stored[1] = append(rec.Stored[1], next)
	m.streams[1] = append(m.streams[1], ledger.Message{Seq: uint64(i), At: int64(i), EventID: next, Position: events.Position(begin, uint64(i))})
}

// record is that of another history: it may wait with a message that is gone, or with a
// call in doubt.
func (m *mending) record(rec *ledger.Recovery) (r ledger.Record, orphan string) {
	r.Handle.Cursor, r.Enrich.Cursor = uint64(rapid.IntRange(0, 90).Draw(m.t, "handle")), uint64(rapid.IntRange(0, 90).Draw(m.t, "enrich"))
	r.Handle.At, r.Enrich.At = int64(r.Handle.Cursor), int64(r.Enrich.Cursor)
	head := &ledger.Head{Message: ledger.Message{Seq: 91, At: 91, EventID: "e8~enrich~0"}, Why: ledger.Backoff, On: ledger.Reads, Since: begin, Next: begin}
	switch rapid.SampledFrom([]string{"", "gone", "doubt"}).Draw(m.t, "head") {
	case "gone":
		r.Handle.Head, r.Handle.Behind = head, true
		return r, head.EventID
	case "doubt":
		head.Why = ledger.Doubt
		m.committed["e8"] = rapid.Bool().Draw(m.t, "ran")
		if rapid.Bool().Draw(m.t, "stored") {
			rec.Stored[1] = append(rec.Stored[1], head.EventID)
			m.streams[1] = append(m.streams[1], ledger.Message{Seq: 40, At: 40, EventID: head.EventID})
		}
		r.Handle.Head, r.Handle.Behind = head, true
		r.Effects = append(r.Effects, ledger.Effect{
			IDs: []string{"row-e8"}, EventID: head.EventID, Seq: 91, State: ledger.InDoubt, Body: []byte(`{}`), Sends: 1, Deadline: begin,
			Marker: ledger.Marker("acme", "row-e8", 0, 0), Bill: &ledger.Bill{ID: "77", OrderNo: "fwgs-1"},
		})
		return r, "in doubt " + head.EventID
	}
	return r, ""
}

func (m *mending) reckon(orphan string) {
	r := m.o.Record
	held := r.Handle.Head != nil && r.Handle.Head.Why == ledger.Held
	if !held && (r.Open() || r.Enrich.Cursor < 50 || r.Handle.Cursor < 50) {
		m.t.Fatalf("never done: %+v", r)
	}
	for i, st := range both {
		for _, x := range m.streams[i] {
			n, waits := m.verdicts[name(st, x.EventID)], held && st == events.Handle && x.EventID != r.Handle.Head.EventID
			if m.ended[name(st, x.EventID)] != (n == 0) && !waits || n > 1 {
				m.t.Fatalf("%s has %d verdicts of %s", x.EventID, n, st)
			}
		}
	}
	switch orphan {
	case "":
	case "e8~enrich~0":
		if m.letters[orphan] != 1 {
			m.t.Fatalf("%d letters say that %s is gone", m.letters[orphan], orphan)
		}
	default:
		if m.verdicts[name(events.Handle, "e8~enrich~0")] != 1 {
			m.t.Fatal("a call in doubt is forgotten")
		}
	}
}
