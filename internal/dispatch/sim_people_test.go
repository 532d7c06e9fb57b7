package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

// people act in Weiban, and on letters.
type people struct {
	w      *world
	orders []string // numbers
	bills  []string // by order
	closed []bool
	n      int // texts so far

	sent []fakeweiban.Notice

	coming *atomic.Int32 // callbacks that are sent once more

	turn    chan struct{}   // one round at a time
	replays map[string]int  // by root of the event
	forced  map[string]int  // by text
	spoken  map[string]bool // texts that were sent at a person's word, late or not
}

func newPeople(w *world) people {
	return people{w: w, coming: &atomic.Int32{}, turn: make(chan struct{}, 1), replays: map[string]int{}, forced: map[string]int{}, spoken: map[string]bool{}}
}

func (p *people) plan() {
	w := p.w
	orders := 1 + w.rng.IntN(2)
	if w.one(6) {
		orders = 3
	}
	for i := range orders {
		bill := fakekingdee.BillNo(i + 1)
		if i == 1 && w.weather.ledger.Marker && w.one(2) {
			bill = p.bills[0]
		}
		p.bills = append(p.bills, bill)
		add := func() {
			if _, ok := w.kingdee.Bill(bill); !ok {
				w.kingdee.AddBill(fakekingdee.Bill{OrderNo: bill})
			}
		}
		if w.one(8) {
			w.at(w.between(0, 2*time.Minute), add)
		} else {
			add()
		}
		word := "LiYang"
		if w.one(4) {
			word = "WangQiang" // the table lacks it at first
		}
		at := w.between(0, 20*time.Second)
		p.orders, p.closed = append(p.orders, ""), append(p.closed, false)
		p.event(at, func() (fakeweiban.Notice, error) {
			n, err := w.weiban.Create(fakeweiban.NewOrder{Title: "报修", Creator: word, Answers: []fakeweiban.Answer{
				{Type: "input", Title: "金蝶工单号", Values: []string{bill}}, {Type: "input", Title: "员工", Values: []string{word}},
			}})
			p.orders[i] = n.Key
			return n, err
		})
	}
	crowd := w.one(2)
	for range 2 + w.rng.IntN(3) {
		at := w.between(20*time.Second, calmAfter-30*time.Second)
		if crowd {
			at = w.between(20*time.Second, 40*time.Second)
		}
		order, kind := w.rng.IntN(orders), w.rng.IntN(6)
		p.event(at, func() (fakeweiban.Notice, error) { return p.act(order, kind) })
	}
	if w.one(3) {
		w.at(w.between(30*time.Second, calmAfter), func() { w.fixed.Store(true) })
	}
	for at := time.Minute; at < calmAfter; at += w.between(30*time.Second, 2*time.Minute) {
		w.at(at, func() { w.acting.Go(p.round) })
	}
	if w.one(4) {
		at := w.between(0, 2*time.Minute)
		w.at(at, func() { w.acting.Go(p.pause) })
		w.at(at+w.between(time.Minute, 2*time.Minute), func() { w.acting.Go(func() { p.resume(w.calm) }) })
	}
}

// act is what somebody does to an order, and the callback that tells of it.
func (p *people) act(order, kind int) (fakeweiban.Notice, error) {
	p.n++
	a := fakeweiban.Act{Staff: "LiYang", Text: fmt.Sprint("第", p.n, "次")}
	number := p.orders[order]
	p.w.books.text(a.Text, number)
	switch {
	case p.closed[order]:
		p.closed[order] = false
		return p.w.weiban.Reopen(number, fakeweiban.Act{Staff: "LiYang"})
	case kind == 0:
		return p.w.weiban.Reply(number, a)
	case kind < 3:
		p.closed[order] = true
		return p.w.weiban.Close(number, a)
	default:
		a.Handler = "LiHua"
		return p.w.weiban.Switch(number, a)
	}
}

// event lets something happen in Weiban and its callback arrive: later, twice, or
// under another id as well.
func (p *people) event(at time.Duration, happen func() (fakeweiban.Notice, error)) {
	w := p.w
	var n fakeweiban.Notice
	w.at(at, func() {
		var err error
		if n, err = happen(); err != nil {
			w.fail("weiban: %v", err)
		}
	})
	delay := w.between(0, 2*time.Second)
	if w.one(5) {
		delay = w.between(0, 90*time.Second)
	}
	w.at(at+delay, func() { p.deliver(n) })
	if w.one(5) {
		w.at(at+w.between(0, 2*time.Minute), func() { p.deliver(n) })
	}
	if w.one(8) {
		w.at(at+w.between(0, 2*time.Minute), func() { p.deliver(w.weiban.Renamed(n)) })
	}
}

// deliver publishes a callback as ingest does.
func (p *people) deliver(n fakeweiban.Notice) {
	c := weiban.Receive(n.Plaintext(0)).Callback("acme", "1")
	ev, err := events.NewCallback(context.Background(), c)
	var data []byte
	if err == nil {
		data, err = p.w.tools.codec.Encode(ev)
	}
	if err != nil {
		p.w.fail("callback: %v", err)
	}
	p.w.mu.Lock()
	p.sent = append(p.sent, n)
	p.w.mu.Unlock()
	p.untilTaken(n, func() error {
		_, err := p.w.server.Publish(context.Background(), bus.Message{
			Subject: events.CallbackSubject("acme", c.Event, c.Status, c.Key), ID: events.MessageID("acme", ev.ID(), 0),
			ContentType: events.ContentType, Data: data,
		})
		return err
	})
	p.w.logf("callback %s %s of %s", c.Status, ev.ID(), c.Key)
}

// note is a handling record's text without its marker.
func note(r fakekingdee.DealRecord) string {
	text, _, _ := strings.Cut(r.Remark, " [wb:")
	return text
}

func rootOf(id string) string {
	root, _, _ := strings.Cut(id, "~")
	return root
}
