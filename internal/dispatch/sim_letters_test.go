package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/sleep"
)

// round is an operator at the letters, who knows what Kingdee really holds.
func (p *people) round() {
	p.turn <- struct{}{} // no mutex: the clock goes on for who waits here
	defer func() { <-p.turn }()
	list, _, err := p.w.box.Page(context.Background(), deadletter.Filter{}, 0, 100)
	p.w.trouble("letters", err)
	for _, l := range list {
		p.w.books.letter(l)
		if l.Waiting {
			p.settle(l)
		} else {
			p.close(l)
		}
	}
}

// truth is how often a letter's call ran.
func (p *people) truth(l deadletter.Open) int {
	text, n := p.w.books.textOf(l.EventID), 0
	for _, r := range p.w.kingdee.Records("") {
		if l.Marker != "" && strings.Contains(r.Remark, l.Marker) || l.Marker == "" && note(r) == text {
			n++
		}
	}
	return n
}

func (p *people) close(l deadletter.Open) {
	w, root := p.w, rootOf(l.EventID)
	d := w.dice("close " + root)
	act := deadletter.Act{Who: "li", Reason: "looked at the bill"}
	var err error
	switch again := p.replays[root] < 1+d.IntN(2) && d.IntN(3) > 0; {
	case l.Kind == events.Uncertain && p.truth(l) == 0 && again:
		act.Force = true
		p.forced[w.books.textOf(l.EventID)]++
		p.spoken[w.books.textOf(l.EventID)] = true
		fallthrough
	case l.Kind != events.Uncertain && again:
		p.replays[root]++
		_, err = w.box.Replay(context.Background(), l.Number, act)
		w.logf("letter %d of %s is replayed, forced %v: %v", l.Number, l.EventID, act.Force, err)
	default:
		_, err = w.box.Discard(context.Background(), l.Number, act)
		w.logf("letter %d of %s is discarded: %v", l.Number, l.EventID, err)
	}
	if err == nil {
		w.books.answer(l, true)
	}
	w.trouble(fmt.Sprint("letter ", l.Number), err)
}

// settle says a word on an order that waits, and closes the letter if it is taken.
func (p *people) settle(l deadletter.Open) {
	w := p.w
	e, err := w.state.Get(context.Background(), "order.acme."+string(l.Noun)+"."+events.Token(l.Key))
	var r ledger.Record
	if err == nil {
		r, err = ledger.Decode(e.Value)
	}
	if err != nil {
		w.trouble("record of "+l.Key, err) // it is made again
		return
	}
	lane := r.Handle
	if l.Stage == events.Enrich {
		lane = r.Enrich
	}
	if h := lane.Head; h == nil || h.Why != ledger.Held || h.Seq != l.Sequence {
		if w.after() && (lane.Behind && time.Since(w.accident.struck) < 10*time.Minute || w.rechecking() != "") {
			return // it may come to wait with it once more
		}
		if h == nil || h.Seq != l.Sequence {
			p.settled(l, "gone on")
		}
		return
	}
	d := w.dice("settle " + l.EventID)
	word := []ledger.Word{ledger.TryAgain, ledger.Discard}[d.IntN(2)]
	if doubted(r, l) {
		word = []ledger.Word{ledger.TryAgain, ledger.SendAgain}[d.IntN(2)]
		if p.truth(l) > 0 {
			word = []ledger.Word{ledger.TryAgain, ledger.SettleApplied}[d.IntN(2)]
		}
	}
	if word == ledger.SendAgain {
		p.spoken[w.books.textOf(l.EventID)] = true
	}
	err = p.ask(orders.VerbSettle, orders.Request{
		Stage: l.Stage, Noun: l.Noun, Key: l.Key, Sequence: l.Sequence, Word: word, Who: "li", Why: "looked",
	})
	w.logf("letter %d of %s is settled: %s: %v", l.Number, l.EventID, word, err)
	if err == nil {
		p.settled(l, string(word))
	}
}

// doubted says whether the letter's event has a call in doubt.
func doubted(r ledger.Record, l deadletter.Open) bool {
	return slices.ContainsFunc(r.Effects, func(e ledger.Effect) bool {
		return l.Stage == events.Handle && (e.State == ledger.InDoubt || e.State == ledger.Intent)
	})
}

func (p *people) settled(l deadletter.Open, word string) {
	err := p.w.box.Settled(context.Background(), l, word, deadletter.Act{Who: "li", Reason: "looked"})
	if err == nil {
		p.w.books.answer(l, ledger.Word(word).Ends())
	}
	p.w.trouble(fmt.Sprint("letter ", l.Number), err)
}

// ask puts a request to the owner.
func (p *people) ask(verb string, r orders.Request) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	raw, err := p.w.server.Request(ctx, events.ControlSubject("acme", verb), data)
	if err != nil {
		return err
	}
	var a struct{ Refused string }
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if a.Refused != "" {
		return errors.New(a.Refused)
	}
	return nil
}

func (p *people) pause() {
	err := p.ask(orders.VerbPause, orders.Request{Stage: events.Handle, Who: "li"})
	p.w.logf("handle is paused: %v", err)
	p.w.books.hold(err == nil)
}

// resume is said until it is taken, or until everybody is asked for it at the calm.
func (p *people) resume(until time.Time) {
	p.w.books.hold(false)
	for {
		err := p.ask(orders.VerbResume, orders.Request{Stage: events.Handle, Who: "li"})
		p.w.logf("handle is resumed: %v", err)
		if err == nil || p.w.failed() {
			return
		}
		if !time.Now().Before(until) {
			if until.After(p.w.calm) {
				p.w.fail("nobody takes an operator's word: %v", err)
			}
			return
		}
		sleep.For(context.Background(), 20*time.Second)
	}
}
