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

// forget drops the order from memory: what is on record is all that is needed
// to go on. If something waits, it is loaded anew in a moment.
func (a *actor) forget(what string, err error) {
	if errors.Is(err, bus.ErrFenced) {
		a.o.tenure.Lost()
	}
	if a.o.soft.Err() == nil {
		a.o.log.Warn("order let go", slog.String("order", a.key.Key), slog.String("what", what), slog.String("cause", err.Error()))
	}
	listed := a.listed
	for i := range a.hands {
		a.hands[i].end("given back")
	}
	for k := range a.held {
		a.o.evictions.Dropped(a.key, k.stage, k.seq)
	}
	a.life++
	a.loaded, a.acts, a.ledger = false, 0, ledger.Order{}
	a.held, a.hands, a.listed = map[held]*bus.Delivery{}, [2]hand{}, listed
	a.say(ledger.Answer{Refused: "the order was let go; try again in a moment"})
	if a.o.ctx.Err() != nil {
		return
	}
	time.AfterFunc(a.o.evictions.Backoff(a.key, a.o.d.o.Beat), func() {
		if a.o.enlist() {
			defer a.o.busy.Done()
			a.o.bring(a.key, listed, orders.Queue{Stage: events.Handle, Noun: a.key.Noun}, nudge{})
		}
	})
}

// refuse gives back what came for an order that could not be loaded.
func (a *actor) refuse(x any) {
	switch x := x.(type) {
	case nudge:
		x.tell(false)
	case delivery:
		a.o.evictions.Dropped(a.key, x.stage, x.m.Sequence)
	case spoken:
		select {
		case x.reply <- ledger.Answer{Refused: "the order cannot be worked on now; try again in a moment"}:
		default: // answered
		}
	}
}
