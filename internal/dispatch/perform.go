package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// writeWait bounds one write to the record or the bus.
const writeWait = 10 * time.Second

// carryOut does one action. An error means that the rest of the list must not
// be done: the order is forgotten and loaded anew.
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
		a.alert(act)
	case ledger.Answer:
		a.say(act)
	case ledger.Leave:
		a.o.free(a.o.bills.Unlock(act.Bill, a.key))
	case ledger.Enter:
		a.enter(act.Bill)
	default:
		return a.start(act)
	}
	return nil
}

// enter goes to a bill. Whoever finds it taken asks once more right before it is
// told so: it cannot then miss that the bill is left.
func (a *actor) enter(b ledger.Bill) {
	free := a.o.bills.Lock(b, a.key)
	a.begin(func(context.Context) (ledger.Input, func()) {
		return nil, func() {
			a.feed(ledger.Entered{Busy: !free && !a.o.bills.LockOrWait(b, a.key)})
		}
	})
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
		a.waits(w.Record)
	}
	return err
}

// waits logs a head that begins to wait, or waits after another try.
func (a *actor) waits(r ledger.Record) {
	for i, s := range ledger.Stages {
		l := r.Handle
		if s == events.Enrich {
			l = r.Enrich
		}
		if s == events.Handle && calling(r) {
			continue // the head goes on: this write is its call's intent
		}
		if h := &a.hands[i]; l.Head != nil && h.span != nil && l.Head.Why != ledger.Running && l.Head.Seq > l.Cursor {
			a.record(s, attempt{outcome: "waiting", reason: string(l.Head.Why), tries: l.Head.Tries, next: l.Head.Next, fault: l.Head.Fault, event: l.Head.EventID, seq: l.Head.Seq, replay: l.Head.Replay})
			h.end("waiting")
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

// ack settles a delivery. One that is forgotten by the server comes again and
// is dropped by its cursor.
func (a *actor) ack(s events.Stage, seq uint64) error {
	k := held{s, seq}
	m := a.held[k]
	if m == nil {
		return nil
	}
	delete(a.held, k)
	crash("ack")
	if err := m.Ack(); err != nil {
		a.o.log.Debug("not acknowledged", slog.Uint64("sequence", seq), slog.String("cause", err.Error()))
	}
	return nil
}

func (a *actor) alert(x ledger.Alert) {
	a.o.log.Error("alert", slog.String("why", string(x.Why)), slog.String("order", a.key.Key), slog.String("text", x.Text))
	a.o.d.meters.alert(a.o.ctx, a.o.t.Name, x.Why)
}

// start begins what is answered by an input.
func (a *actor) start(act ledger.Action) error {
	switch act := act.(type) {
	case ledger.Next:
		if a.o.soft.Err() != nil {
			return nil // stopping: no further message is begun
		}
		var head uint64 // that the stage waits with
		if h := a.ledger.Record.Progress(act.Stage).Head; h != nil {
			head = h.Seq
		}
		a.begin(func(ctx context.Context) (ledger.Input, func()) { return a.lowest(ctx, act, head) })
	case ledger.Fetch:
		return a.fetch(act)
	case ledger.Plan:
		return a.plan(act)
	case ledger.ReadBill:
		a.readBill(act)
	case ledger.CheckStatus:
		a.checkStatus(act)
	case ledger.Call:
		a.call(act)
	case ledger.Look:
		a.look(act)
	default:
		return fmt.Errorf("action %T is not known", act)
	}
	return nil
}

// lowest finds the order's next message in the stage's stream: of its events and
// replays the one that comes first.
func (a *actor) lowest(ctx context.Context, n ledger.Next, head uint64) (ledger.Input, func()) {
	var first *bus.Stored
	for _, subject := range events.OrderFilters(a.o.t.Name, n.Stage, a.key.Noun, a.key.Key) {
		s, err := a.next1(ctx, orders.StreamOf(n.Stage), subject, n.After+1)
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, func() { a.forget("stream not read", err) }
		}
		if first == nil || s.Sequence < first.Sequence {
			first = &s
		}
	}
	if head > 0 && (first == nil || first.Sequence > head) {
		// What an order waits for does not leave by itself.
		if err := a.o.held(ctx, n.Stage, head); err != nil {
			return nil, func() { a.forget("the store does not fit", err) }
		}
	}
	if first == nil {
		return ledger.Empty{Stage: n.Stage}, nil
	}
	m := orders.Read(n.Stage, *first, a.o.d.o.MaxFuture)
	return ledger.Found{Stage: n.Stage, Message: m.Message}, func() { a.hands[ledger.Index(n.Stage)].offer(m) }
}

func (a *actor) next1(ctx context.Context, stream, subject string, from uint64) (bus.Stored, error) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	return a.o.d.o.Ports.Log.Next(ctx, stream, subject, from)
}
