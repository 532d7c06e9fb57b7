package dispatch_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// books hold every promise to account while the world goes on, from what the
// streams, the bucket and the vendors hold.
type books struct {
	w *world

	mu      sync.Mutex
	orders  map[string]string // text of a callback → number of its order
	letters map[string]uint64 // by id: the number under which it lies, or lay
	answers map[string]bool   // letters, and what they are about, that people have answered
	alarms  map[string]bool   // streams and buckets that an alarm named
	held    time.Time         // an operator's pause counts from here; zero: none does

	from     map[string]uint64 // stream → first sequence that was not read yet
	texts    map[string]string // root of an event → its callback's text
	inputs   []input           // of both stages
	enriched map[string]input  // by event id
	ends     map[string][]ending
	position map[string]string // text → that of its enriched event
	mark     uint64            // newest message of EVENTS at the accident
}

// input is a message of a stage.
type input struct {
	stage    events.Stage
	seq      uint64
	id, key  string
	replay   int
	position string
}

// what names an input's end: its event and the replay.
func (i input) what() string { return i.id + "~" + strconv.Itoa(i.replay) }

type ending struct {
	events.HandleOutcome

	id string
}

func (e ending) String() string { return string(e.Outcome) + " (" + e.Reason + ")" }

func newBooks(w *world) books {
	return books{
		w: w, orders: map[string]string{}, letters: map[string]uint64{}, from: map[string]uint64{},
		texts: map[string]string{}, enriched: map[string]input{}, ends: map[string][]ending{}, position: map[string]string{},
		answers: map[string]bool{}, alarms: map[string]bool{},
	}
}

// owner is who has the tenant at this moment; "" if nobody.
func (b *books) owner() string {
	e, err := b.w.state.Get(context.Background(), "owner.acme")
	if err != nil {
		return ""
	}
	var c struct {
		Instance string
		Released bool
	}
	if err := json.Unmarshal(e.Value, &c); err != nil || c.Released {
		return ""
	}
	return c.Instance
}

// owners is how often the tenant changed hands.
func (b *books) owners() int {
	e, err := b.w.state.Get(context.Background(), "owner.acme")
	var c struct{ Epoch int }
	if err != nil || json.Unmarshal(e.Value, &c) != nil {
		return 0
	}
	return c.Epoch
}

// handlePath is that of handle-order.
const handlePath = "/weigusoft/wg_crm/wg_handleBillBusinessApi"

// called: only by the owner, and not while an operator holds the stage.
func (b *books) called(p *process, path string) {
	if who := b.owner(); who != p.name && !b.w.unclaimed() {
		b.w.fail("%s calls %s, and %q owns the tenant", p.name, path, who)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if path == handlePath && !b.held.IsZero() && time.Since(b.held) > 30*time.Second {
		b.w.fail("%s calls %s, which an operator holds", p.name, path)
	}
}

// hold notes that an operator's pause was taken, or that its end was asked for.
func (b *books) hold(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = time.Time{}
	if on {
		b.held = time.Now()
	}
}

func (b *books) text(text, order string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders[text] = order
}

// letter: of one id there is one.
func (b *books) letter(l deadletter.Open) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.letters[l.ID]; n != 0 && n != l.Number && !b.w.after() {
		b.w.fail("letter %s lies under %d and %d", l.ID, n, l.Number)
	}
	b.letters[l.ID] = l.Number
}

// answer notes that people have answered a letter, and whether its event has ended by it.
func (b *books) answer(l deadletter.Open, ends bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[l.ID] = true
	if !ends {
		return
	}
	b.answers[string(l.Stage)+" "+l.EventID+"~"+strconv.Itoa(l.Replay)] = true
}

// alarm notes that somebody says of a stream or bucket that it does not fit.
func (b *books) alarm(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alarms[name] = true
}

// rewind forgets what the streams held: what they hold from now on is read from their
// beginning. What people know stays.
func (b *books) rewind() {
	b.read()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark = b.from[bus.Events]
	b.from, b.inputs, b.enriched, b.ends = map[string]uint64{}, nil, map[string]input{}, map[string][]ending{}
}

// textOf is the text of the callback that an event came from.
func (b *books) textOf(id string) string {
	b.read()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.texts[rootOf(id)]
}

// read takes in what has come since the last time.
func (b *books) read() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, stream := range []string{bus.Callbacks, bus.Events} {
		page, err := b.w.server.Page(context.Background(), stream, "", max(b.from[stream], 1), 10_000)
		b.w.trouble("read", err)
		for _, m := range page {
			b.from[stream] = m.Sequence + 1
			if err := b.take(m); err != nil {
				b.w.fail("message %d of %s: %v", m.Sequence, stream, err)
			}
		}
	}
}

func (b *books) take(m bus.Stored) error {
	var ev struct {
		ID, Subject, Position string
		Cause                 string `json:"causationid"`
		Data                  json.RawMessage
	}
	if err := json.Unmarshal(m.Data, &ev); err != nil {
		return err
	}
	if strings.Contains(m.Subject, ".event.kingdee.") {
		if err := b.end(ev.ID, ev.Cause, ev.Data); err != nil {
			return err
		}
		if ends := b.ends[ev.Cause+ev.ID[strings.LastIndex(ev.ID, "~"):]]; ends[len(ends)-1].Outcome == events.Applied && ev.Position == "" {
			return fmt.Errorf("the outcome %s has no position: an order that learns of it would take older events for newer ones", ev.ID)
		}
		return nil
	}
	i := input{stage: events.Handle, seq: m.Sequence, id: ev.ID, key: ev.Subject, position: ev.Position}
	if n := m.Header.Get(deadletter.HeaderReplay); n != "" {
		var err error
		if i.replay, err = strconv.Atoi(n); err != nil {
			return err
		}
	}
	switch {
	case m.Stream == bus.Callbacks:
		i.stage = events.Enrich
		b.texts[i.id] = textIn(ev.Data)
	case i.replay == 0:
		if first, twice := b.enriched[i.id]; twice {
			return fmt.Errorf("event %s is there already, as %d", i.id, first.seq)
		}
		b.enriched[i.id] = i
	}
	if i.stage == events.Handle {
		b.position[b.texts[rootOf(i.id)]] = i.position
	}
	b.inputs = append(b.inputs, i)
	return nil
}

// textIn is what somebody wrote.
func textIn(callback []byte) string {
	var c struct {
		Data struct {
			Content struct{ Text string }
		} `json:"msg_data"`
	}
	_ = json.Unmarshal(callback, &c) // a creation has none
	return c.Data.Content.Text
}

func (b *books) end(id, cause string, data []byte) error {
	e := ending{id: id}
	if err := json.Unmarshal(data, &e.HandleOutcome); err != nil {
		return err
	}
	what := cause + id[strings.LastIndex(id, "~"):]
	b.ends[what] = append(b.ends[what], e)
	return nil
}

// restless says what is not at rest yet, "" if all is.
func (w *world) restless() string {
	for slot := range w.slots {
		if p := w.in(slot); p.isDead() {
			return p.name + " is dead"
		}
	}
	if w.people.coming.Load() > 0 {
		return "callbacks are still to come"
	}
	b := &w.books
	b.read()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.inputs {
		ends := b.ends[i.what()]
		if (len(ends) == 0 || !b.answered(ends)) && b.next(i) == "" && !b.endedBefore(i) {
			return fmt.Sprintf("%s %d, event %s of %s, has no end", i.stage, i.seq, i.what(), i.key)
		}
	}
	if list, _, err := w.box.Page(context.Background(), deadletter.Filter{}, 0, 1); err != nil || len(list) > 0 {
		return fmt.Sprintf("letter open: %v", list)
	}
	for _, stream := range []string{bus.Callbacks, bus.Events} {
		list, err := w.server.Followers(context.Background(), stream)
		if err != nil || len(list) != 2 {
			return fmt.Sprintf("consumers of %s: %v %v", stream, list, err)
		}
		for _, f := range list {
			if i, err := w.server.ConsumerInfo(context.Background(), stream, f.Name); err != nil || i.NumPending+uint64(i.NumAckPending) > 0 {
				return fmt.Sprintf("%s has not settled everything: %+v %v", f.Name, i, err)
			}
		}
	}
	return cmp.Or(w.waiting(), w.rechecking())
}

// recheck is up to where a stage's messages are looked at again.
func (w *world) recheck(stage string) uint64 {
	e, err := w.state.Get(context.Background(), "trail.acme."+stage+".work_order")
	var t struct{ Recheck uint64 }
	if err == nil {
		err = json.Unmarshal(e.Value, &t)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		w.fail("%v", err)
	}
	return t.Recheck
}

// rechecking names a queue whose messages of before the accident are still looked at.
func (w *world) rechecking() (who string) {
	_ = w.state.Load(context.Background(), "trail", func(e bus.Entry) error { // none of its own
		if strings.Contains(string(e.Value), `"rechecks":true`) {
			who = e.Key + " looks at all orders again"
		}
		return nil
	})
	return who
}

// waiting names an order that is listed and has something to be done; "" for none.
// A key that outlived its wait is harmless.
func (w *world) waiting() (who string) {
	_ = w.state.Load(context.Background(), "wait", func(e bus.Entry) error { // none of its own
		x, err := w.state.Get(context.Background(), "order"+strings.TrimPrefix(e.Key, "wait"))
		var r ledger.Record
		if err == nil {
			r, err = ledger.Decode(x.Value)
		}
		open := slices.ContainsFunc(r.Effects, func(x ledger.Effect) bool {
			return x.State == ledger.Intent || x.State == ledger.InDoubt || !x.Sweep.IsZero()
		})
		behind := r.Enrich.Cursor < w.recheck("enrich") || r.Handle.Cursor < w.recheck("handle")
		if err != nil || open || behind || r.Enrich.Head != nil || r.Handle.Head != nil {
			who = fmt.Sprintf("%s: %v %s", e.Key, err, x.Value)
		}
		return nil
	})
	return who
}

// endedBefore says whether an input had its end before the accident: by its order's
// record, or by a letter that people have answered.
func (b *books) endedBefore(i input) bool {
	if !b.w.after() {
		return false
	}
	e, err := b.w.state.Get(context.Background(), "order.acme."+string(events.WorkOrder)+"."+events.Token(i.key))
	if err != nil {
		return false
	}
	r, err := ledger.Decode(e.Value)
	known := i.replay == 0 && r.Ended(rootOf(i.id)) != "" || slices.ContainsFunc(r.Effects, func(e ledger.Effect) bool {
		return e.EventID == i.id && e.Replay >= i.replay && e.State != ledger.Intent && e.State != ledger.InDoubt
	})
	return err == nil && known || b.answers[string(i.stage)+" "+i.what()] ||
		i.stage == events.Enrich && b.w.accident.fresh(i.id+"~enrich~"+strconv.Itoa(i.replay))
}

// answered says whether an event that ended dead has a letter that people have answered.
func (b *books) answered(ends []ending) bool {
	return b.w.accident.unseen(bus.Dead) || slices.ContainsFunc(ends, func(e ending) bool {
		return e.Outcome != events.Dead || e.Letter != nil && b.answers[e.Letter.ID]
	})
}

// next is the enriched event that came of an input; "" for none.
func (b *books) next(i input) string {
	id := i.id + "~enrich~" + strconv.Itoa(i.replay)
	if _, ok := b.enriched[id]; ok && i.stage == events.Enrich {
		return id
	}
	return ""
}
