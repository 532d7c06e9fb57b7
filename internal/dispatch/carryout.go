package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// writeWait bounds one write to a record or to the bus.
const writeWait = 10 * time.Second

// carryOut does one action. After an error the rest of the list must not be done: the order
// is evicted and loaded again.
func (a *actor) carryOut(act ledger.Action) error {
	switch act := act.(type) {
	case ledger.Write:
		return a.write(act)
	case ledger.Publish:
		return a.publish(act)
	case ledger.Unlist:
		return a.unlist()
	case ledger.Ack:
		return a.ack(act.Stage, act.Seq)
	case ledger.Drop:
		return a.ack(act.Stage, act.Seq)
	case ledger.Wake:
		a.arm(act)
	case ledger.Alert:
		a.o.alert(a.key, act)
	case ledger.Answer:
		a.reply(act)
	case ledger.Leave:
		a.o.free(a.o.bills.Unlock(act.Bill, a.key))
	default:
		return a.start(act)
	}
	return nil
}

// write stores the record under the owner's claim, its wait key first.
func (a *actor) write(w ledger.Write) error {
	raw, err := w.Record.Encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.o.ctx, writeWait)
	defer cancel()
	if err := a.o.tenure.Check(ctx); err != nil {
		return err
	}
	if w.List {
		if _, err := a.o.d.state.PutFenced(ctx, orders.WaitKey(a.o.t.Name, a.key), []byte{}, a.o.tenure.Fence); err != nil {
			return err
		}
		a.listed = true
	}
	var opts []bus.Option
	if !w.Record.Open() {
		opts = append(opts, bus.Expire(a.o.d.o.KeepSettled))
	}
	crash("write")
	_, err = a.o.d.state.PutFenced(ctx, orders.RecordKey(a.o.t.Name, a.key), raw, a.o.tenure.Fence, opts...)
	crash("wrote")
	if err == nil {
		a.logWaits(w.Record)
	}
	return err
}

// logWaits logs a head that begins to wait, or waits after another try.
func (a *actor) logWaits(r ledger.Record) {
	for i, s := range ledger.Stages {
		l := r.Handle
		if s == events.Enrich {
			l = r.Enrich
		}
		if s == events.Handle && calling(r) {
			continue // the head does not wait: this write is its call's intent
		}
		if c := &a.current[i]; l.Head != nil && c.span != nil && l.Head.Why != ledger.Running && l.Head.Seq > l.Cursor {
			a.record(s, attempt{outcome: waiting, reason: string(l.Head.Why), tries: l.Head.Tries, next: l.Head.Next, fault: l.Head.Fault, event: l.Head.EventID, seq: l.Head.Seq, replay: l.Head.Replay})
			c.end(waiting)
		}
	}
}

// calling reports whether a call is about to be made.
func calling(r ledger.Record) bool {
	return slices.ContainsFunc(r.Effects, func(e ledger.Effect) bool { return e.State == ledger.Intent })
}

func (a *actor) unlist() error {
	ctx, cancel := context.WithTimeout(a.o.ctx, writeWait)
	defer cancel()
	err := a.o.d.state.DeleteFenced(ctx, orders.WaitKey(a.o.t.Name, a.key), a.o.tenure.Fence)
	if errors.Is(err, bus.ErrFenced) {
		return err
	}
	if err == nil {
		a.listed = false
	}
	return nil // a stale wait key is harmless
}

// ack acknowledges a delivery. If the acknowledgement is lost, the server redelivers the
// message, and the cursor drops it.
func (a *actor) ack(s events.Stage, seq uint64) error {
	k := held{s, seq}
	m := a.held[k]
	if m == nil {
		return nil
	}
	delete(a.held, k)
	crash("ack")
	if err := m.Ack(); err != nil {
		a.o.log.Debug("message not acknowledged", slog.Uint64("sequence", seq), slog.String("cause", err.Error()))
	}
	return nil
}

// resume tells the ledger that an API is available again.
func (a *actor) resume(g *wait.Availability) {
	for _, api := range []ledger.API{ledger.Detail, ledger.Reads, ledger.Uploads, ledger.Writes} {
		if a.o.apis.Of(api, a.key.Noun) == g {
			a.feed(ledger.Resumed{On: api})
		}
	}
}

// arm sets the order's next timer in the queue that it is for, and notes which APIs it
// waits for.
func (a *actor) arm(w ledger.Wake) {
	r, due := a.ledger.Record, events.Handle
	if h := r.Enrich.Head; h != nil && (r.Handle.Head == nil || r.Handle.Head.Why == ledger.Held || h.Next.Before(r.Handle.Head.Next)) {
		due = events.Enrich
	}
	a.o.waiters.Set(a.key, a.o.apis, w.On)
	for _, k := range orders.Queues {
		if k.Noun != a.key.Noun {
			continue
		}
		at := w.At
		if k.Stage != due {
			at = time.Time{}
		}
		a.o.timers[k].Set(a.key, at)
	}
}
