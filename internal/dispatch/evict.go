package dispatch

import (
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// evict drops the order from memory: what is on record is all that is needed to go on. It
// is loaded again after a moment.
func (a *actor) evict(what string, err error) {
	if errors.Is(err, bus.ErrFenced) {
		a.o.tenure.Lost()
	}
	if a.o.working.Err() == nil {
		a.o.log.Warn("order evicted from memory", slog.String("order", a.key.Key), slog.String("what", what), slog.String("cause", err.Error()))
	}
	listed := a.listed
	for i := range a.current {
		a.current[i].end("given back")
	}
	for k := range a.held {
		a.o.evictions.Dropped(a.key, k.stage, k.seq)
	}
	a.life++
	a.loaded, a.acts, a.ledger, a.fed = false, 0, ledger.Order{}, nil
	a.held, a.current, a.listed = map[held]*bus.Delivery{}, [2]current{}, listed
	a.reply(ledger.Answer{Refused: "the order was evicted from memory; try again in a moment"})
	if a.o.ctx.Err() != nil {
		return
	}
	time.AfterFunc(a.o.evictions.Backoff(a.key, a.o.d.o.Beat), func() {
		if a.o.enlist() {
			defer a.o.busy.Done()
			a.o.bring(a.key, listed, orders.Queue{Stage: events.Handle, Noun: a.key.Noun}, load{})
		}
	})
}

// refuse gives back an item for an order that could not be loaded.
func (a *actor) refuse(x item) {
	switch x := x.(type) {
	case load:
		x.tell(false)
	case delivery:
		a.o.evictions.Dropped(a.key, x.stage, x.m.Sequence)
	case operator:
		select {
		case x.reply <- ledger.Answer{Refused: "the order cannot be worked on now; try again in a moment"}:
		default: // answered
		}
	}
}

// takeSafely takes an item; a panic evicts this order, and no other must suffer for it. It
// costs the message that was worked on a try.
func (a *actor) takeSafely(x item) {
	defer func() {
		if p := recover(); p != nil {
			f := events.Panicked(p)
			a.blame(x, f)
			a.evict("panicked", f)
			a.refuse(x)
		}
	}()
	a.take(x)
}

// blame notes the message that was worked on when a fault of ours came up. The ledger
// counts it once the order is loaded again: a message that always breaks must end as a letter.
func (a *actor) blame(x item, f *events.Failure) {
	if !a.loaded {
		return // it is the record that broke, and no message
	}
	stage, seq := a.about(x)
	if seq > 0 {
		a.o.evictions.Blame(a.key, ledger.Broke{Stage: stage, Seq: seq, Failure: f})
	}
}

// about is the message that broke: the one that the item or the ledger's input names, else
// the one that is worked on, else the one that waits.
func (a *actor) about(x item) (events.Stage, uint64) {
	if d, ok := x.(delivery); ok {
		return d.stage, d.m.Sequence
	}
	stages := []events.Stage{events.Handle, events.Enrich}
	switch in := a.fed.(type) {
	case ledger.Delivered:
		return in.Stage, in.Seq
	case ledger.Found:
		return in.Stage, in.Seq
	case ledger.Fetched:
		stages = stages[1:]
	case ledger.Planned, ledger.BillRead, ledger.Entered, ledger.StatusRead, ledger.Called, ledger.Looked:
		stages = stages[:1]
	}
	for _, s := range stages {
		if m := a.current[ledger.Index(s)].now; m != nil {
			return s, m.Seq
		}
	}
	for _, s := range stages {
		if h := a.ledger.Record.Progress(s).Head; h != nil && h.Why != ledger.Held {
			return s, h.Seq
		}
	}
	return "", 0
}
