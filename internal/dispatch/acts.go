package dispatch

import (
	"context"
	"errors"
	"fmt"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// errLost says that the ledger asked for a message that is not in memory: only a fault of
// ours can do that.
var errLost = &events.Failure{Kind: events.Internal, Reason: "the message is not in memory"}

// result is what an act hands back to its actor.
type result interface {
	// take keeps what the act found, in the actor's goroutine, and returns the input for
	// the ledger; nil for none.
	take(a *actor) ledger.Input
}

// The results of the acts, as the actor takes them.
type (
	fetched struct {
		ledger.Fetched
		out    *bus.Message
		detail *work.Detail
		top    uint64 // the highest message that had come when the detail was asked for
	}
	planned struct {
		ledger.Planned
		plan *work.Plan
	}
	billRead   struct{ ledger.BillRead }
	statusRead struct{ ledger.StatusRead }
	called     struct {
		ledger.Called
		call ledger.Call
	}
	looked  struct{ ledger.Looked }
	proven  struct{}
	entered struct {
		bill   ledger.Bill
		locked bool // at the first try
	}
	found struct {
		stage events.Stage
		m     *orders.Message
	}
	empty  struct{ ledger.Empty }
	broken struct { // the order must be loaded again
		what string
		err  error
	}
	panicked struct{ failure *events.Failure }
)

func (r fetched) take(a *actor) ledger.Input {
	c := &a.current[0]
	if r.Failure == nil {
		c.out = r.out
		if r.detail != c.detail {
			c.detail, c.seen = r.detail, r.top
		}
	}
	return r.Fetched
}

func (r planned) take(a *actor) ledger.Input {
	a.current[1].plan = r.plan
	a.set.BillWait = r.plan.BillWait
	return r.Planned
}

func (r billRead) take(*actor) ledger.Input { return r.BillRead }

func (r statusRead) take(*actor) ledger.Input { return r.StatusRead }

func (r called) take(a *actor) ledger.Input {
	if r.Failure == nil && r.call.Marker != "" && a.o.proof.Claim() {
		// Beside the verdict, which must not wait for the proof.
		ctx := a.context(events.Handle)
		a.begin(func(context.Context) result {
			a.work().Prove(ctx, r.call)
			return proven{}
		})
	}
	return r.Called
}

func (r looked) take(*actor) ledger.Input { return r.Looked }

func (proven) take(*actor) ledger.Input { return nil }

// take asks once more right before the order is told that the bill is locked: it cannot
// then miss that the bill is released.
func (r entered) take(a *actor) ledger.Input {
	return ledger.Entered{Busy: !r.locked && !a.o.bills.LockOrWait(r.bill, a.key)}
}

func (r found) take(a *actor) ledger.Input {
	a.current[ledger.Index(r.stage)].offer(r.m)
	return ledger.Found{Stage: r.stage, Message: r.m.Message}
}

func (r empty) take(*actor) ledger.Input { return r.Empty }

func (r broken) take(a *actor) ledger.Input {
	a.evict(r.what, r.err)
	return nil
}

func (r panicked) take(a *actor) ledger.Input {
	a.blame(nil, r.failure)
	a.evict("panicked", r.failure)
	return nil
}

// begin runs an act, which takes time, beside the actor, and posts its result.
func (a *actor) begin(act func(ctx context.Context) result) {
	life := a.life
	a.acts++
	a.o.busy.Add(1)
	go func() {
		defer a.o.busy.Done()
		a.post(answer{life: life, result: a.safely(act)})
	}()
}

// safely is act; a panic in it evicts the order.
func (a *actor) safely(act func(ctx context.Context) result) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = panicked{events.Panicked(p)}
		}
	}()
	return act(a.o.ctx)
}

// work is the work on this order.
func (a *actor) work() work.Order { return work.Order{Tenant: a.o.work, ID: a.key} }

// start begins an act that the ledger asks for; its result is the ledger's next input.
func (a *actor) start(act ledger.Action) error {
	switch act := act.(type) {
	case ledger.Next:
		a.seek(act)
	case ledger.Fetch:
		return a.fetch(act)
	case ledger.Plan:
		return a.plan(act)
	case ledger.ReadBill:
		ctx, p := a.context(events.Handle), a.current[1].plan
		a.begin(func(context.Context) result { return billRead{a.work().ReadBill(ctx, p, act.Bill)} })
	case ledger.CheckStatus:
		ctx := a.context(events.Handle)
		a.begin(func(context.Context) result { return statusRead{a.work().CheckStatus(ctx, act.Bill)} })
	case ledger.Call:
		ctx := a.context(events.Handle)
		a.begin(func(context.Context) result {
			wait.Until(ctx, act.After)
			return called{a.work().Call(ctx, act), act}
		})
	case ledger.Look:
		ctx := a.context(events.Handle)
		a.begin(func(context.Context) result { return looked{a.work().Look(ctx, act)} })
	case ledger.Enter:
		locked := a.o.bills.Lock(act.Bill, a.key)
		a.begin(func(context.Context) result { return entered{act.Bill, locked} })
	default:
		return fmt.Errorf("action %T is not known", act)
	}
	return nil
}

// fetch reads the detail for a message. A detail that was read after the message had come
// serves it, too: several events that waited for one detail cost one call.
func (a *actor) fetch(act ledger.Fetch) error {
	c := &a.current[0]
	m := c.find(act.Seq)
	if m == nil {
		return errLost
	}
	ctx := a.span(events.Enrich, m)
	known, top := c.detail, c.top
	if known != nil && m.Seq > c.seen {
		known = nil
	}
	a.begin(func(context.Context) result {
		in, out, detail := a.work().Fetch(ctx, m, known)
		return fetched{in, out, detail, top}
	})
	return nil
}

// plan runs the mapping over a message.
func (a *actor) plan(act ledger.Plan) error {
	m := a.current[1].find(act.Seq)
	if m == nil {
		return errLost
	}
	ctx := a.span(events.Handle, m)
	bill := a.ledger.Record.Bill
	a.begin(func(context.Context) result {
		in, p := a.work().Plan(ctx, m, bill)
		return planned{in, p}
	})
	return nil
}

// seek looks for the order's next message in a stage's stream. A stopping owner begins none.
func (a *actor) seek(n ledger.Next) {
	if a.o.working.Err() != nil {
		return
	}
	var head uint64 // the message that the stage waits with
	if h := a.ledger.Record.Progress(n.Stage).Head; h != nil {
		head = h.Seq
	}
	a.begin(func(ctx context.Context) result { return a.lowest(ctx, n, head) })
}

// lowest finds the order's next message in the stage's stream: the first of its events and
// replays.
func (a *actor) lowest(ctx context.Context, n ledger.Next, head uint64) result {
	first, err := a.firstOf(ctx, n)
	if err != nil {
		return broken{"stream not read", err}
	}
	if head > 0 && (first == nil || first.Sequence > head) {
		// The message of a waiting head does not leave its stream by itself.
		if err := a.o.store.Held(ctx, n.Stage, head); err != nil {
			return broken{"the store does not fit", err}
		}
	}
	if first == nil {
		return empty{ledger.Empty{Stage: n.Stage}}
	}
	return found{n.Stage, orders.Read(n.Stage, *first, a.o.d.o.MaxFuture)}
}

// firstOf reads the first of the order's events and replays; nil if there is none. It reads
// the events first. Where a replay comes first it reads them once more: an event may have been
// stored below that replay between the two reads.
func (a *actor) firstOf(ctx context.Context, n ledger.Next) (*bus.Stored, error) {
	subjects := events.OrderFilters(a.o.t.Name, n.Stage, a.key.Noun, a.key.Key)
	event, err := a.nextOn(ctx, n, subjects[0])
	if err != nil {
		return nil, err
	}
	replay, err := a.nextOn(ctx, n, subjects[1])
	if err != nil || replay == nil || event != nil && event.Sequence < replay.Sequence {
		return event, err
	}
	event, err = a.nextOn(ctx, n, subjects[0])
	if err != nil || event != nil && event.Sequence < replay.Sequence {
		return event, err
	}
	return replay, nil
}

// nextOn is the first message of one subject; nil if there is none.
func (a *actor) nextOn(ctx context.Context, n ledger.Next, subject string) (*bus.Stored, error) {
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	m, err := a.o.d.o.Ports.Log.Next(ctx, orders.StreamOf(n.Stage), subject, n.After+1)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	return &m, err
}
