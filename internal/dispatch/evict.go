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
