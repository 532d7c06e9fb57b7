package dispatch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// maxIdle is how many orders are kept in memory although nothing of them is to
// be done: the next event of one of them costs no read.
const maxIdle = 1024

// actor is one order in memory. Whoever has something for it posts it; one
// goroutine at a time takes what was posted, steps the ledger, and carries out
// what it answers. An order in hand has a place at a desk; one that only waits
// has neither place nor goroutine.
type actor struct {
	o   *owner
	key orders.ID

	mu     sync.Mutex
	inbox  []any
	active bool
	gone   bool   // no longer the order's actor; another one is
	leave  func() // gives the place back; nil without one
	wake   ledger.Wake
	heads  [2]ledger.Why // what enrich and handle wait for

	// What follows is touched by the running goroutine alone.
	listed bool // its wait key is there
	loaded bool
	life   int // incarnation: answers to an earlier one are dropped
	acts   int // begun and not answered
	ledger ledger.Order
	held   map[held]*bus.Delivery
	hands  [2]hand // of enrich and of handle
	set    ledger.Settings
	reply  chan<- ledger.Answer
}

// held names a delivery that is not acknowledged.
type held struct {
	stage events.Stage
	seq   uint64
}

// What an actor is posted.
type (
	delivery struct {
		m       *bus.Delivery
		stage   events.Stage
		inOrder bool
		again   bool
	}
	timer struct{}
	nudge struct { // load the order, if it is not loaded
		record *ledger.Record // from its record, if that is known
		loaded chan<- bool    // told whether it is; nil: nobody asks
	}
	resumed struct{ g *wait.Availability }
	answer  struct {
		life int
		in   ledger.Input
		also func() // run by the actor before the input is fed; may be nil
	}
	spoken struct {
		in    ledger.Operator
		reply chan<- ledger.Answer
	}
	expiring struct{ in ledger.Expiring }
	freed    struct{}
)

func (n nudge) tell(loaded bool) {
	select {
	case n.loaded <- loaded:
	default: // nobody asks, or was told
	}
}

func newActor(o *owner, k orders.ID, listed bool) *actor {
	return &actor{o: o, key: k, listed: listed, held: map[held]*bus.Delivery{}, set: o.t.Ledger}
}

// post hands something to the order; false if this is no longer its actor.
func (a *actor) post(x any) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return false
	}
	a.inbox = append(a.inbox, x)
	if !a.active {
		a.active = true
		a.o.busy.Add(1)
		go a.run()
	}
	return true
}

// seated reports whether the order has a place at a desk.
func (a *actor) seated() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leave != nil
}

// sit takes a place; one that came too late goes back at once.
func (a *actor) sit(leave func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leave != nil || a.gone {
		leave()
		return
	}
	a.leave = leave
}

// run takes what was posted until nothing is left. With calls under way the
// goroutine ends, but the order stays in hand; the answer starts it again.
func (a *actor) run() {
	for {
		x, ok := a.next()
		if !ok {
			return
		}
		a.takeSafely(x)
	}
}

// next is what was posted first; false when the goroutine has ended.
func (a *actor) next() (any, bool) {
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.inbox) > 0 {
		x := a.inbox[0]
		a.inbox = a.inbox[1:]
		return x, true
	}
	a.active = false
	a.o.busy.Done()
	if a.acts == 0 {
		if a.leave != nil {
			a.leave()
			a.leave = nil
		}
		if a.loaded && a.ledger.Idle() {
			a.hands = [2]hand{}
		}
		if !a.loaded || a.ledger.Idle() && len(a.o.actors) > maxIdle {
			delete(a.o.actors, a.key)
			a.gone = true
		}
	}
	return nil, false
}

func (a *actor) take(x any) {
	if x, ok := x.(answer); ok && x.life != a.life {
		return
	}
	if !a.loaded && !a.load(x) {
		a.refuse(x)
		return
	}
	switch x := x.(type) {
	case nudge:
		x.tell(true)
	case delivery:
		a.deliver(x)
	case timer:
		a.feed(ledger.Timer{})
	case resumed:
		a.resume(x.g)
	case answer:
		a.acts--
		if x.also != nil {
			x.also()
		}
		if x.in != nil && x.life == a.life {
			a.feed(x.in)
		}
	case spoken:
		a.reply = x.reply
		a.feed(x.in)
		a.say(ledger.Answer{Refused: "the order was let go; try again in a moment"})
	case expiring:
		a.feed(x.in)
	case freed:
		a.feed(ledger.Freed{})
	}
}

// load takes up the order by its record. Without it nothing is done: what was
// delivered comes again, and what waits is tried again.
func (a *actor) load(x any) bool {
	var r ledger.Record
	var err error
	if n, ok := x.(nudge); ok && n.record != nil {
		r = *n.record
	} else {
		if r, err = orders.ReadRecord(a.o.ctx, a.o.d.state, a.o.t.Name, a.key); err != nil {
			a.forget("record not read", err)
			return false
		}
	}
	in := ledger.Takeover{
		Quiet: a.o.quietUntil(), Listed: a.listed, History: a.o.store.History, Start: a.o.recheck(a.key.Noun), Doubtful: a.o.doubtful(),
	}
	if in.Recovery, err = a.recovery(a.o.ctx, r); err != nil {
		a.forget("streams not read", err)
		return false
	}
	a.o.free(a.o.bills.Keep(r, a.key))
	a.ledger, a.loaded = ledger.Load(r), true
	a.feed(in)
	if !a.loaded {
		return false
	}
	for _, b := range a.o.evictions.TakeBlamed(a.key) {
		if a.loaded {
			a.feed(b)
		}
	}
	if a.loaded {
		a.o.evictions.Loaded(a.key)
	}
	return a.loaded
}

func (a *actor) deliver(x delivery) {
	m := orders.Read(x.stage, x.m.Stored, a.o.d.o.MaxFuture)
	a.held[held{x.stage, x.m.Sequence}] = x.m
	a.hands[ledger.Index(x.stage)].offer(m)
	inOrder := a.o.evictions.Settled(a.key, x.stage, a.ledger.Record.Progress(x.stage).Cursor) && x.inOrder
	a.feed(ledger.Delivered{Stage: x.stage, Message: m.Message, Again: x.again, InOrder: inOrder})
}

// feed is one step and what follows from it.
func (a *actor) feed(in ledger.Input) {
	m := a.o.apis.Moment(time.Now(), rand.Float64(), a.key.Noun)
	order, acts := ledger.Step(a.ledger, m, in, a.set)
	a.ledger = order
	for _, act := range acts {
		if err := a.carryOut(act); err != nil {
			a.blameFor(in, err)
			a.forget("not carried out", err)
			return
		}
	}
	a.hands[0].tidy()
	a.hands[1].tidy()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, s := range ledger.Stages {
		a.heads[i] = ""
		if h := a.ledger.Record.Progress(s).Head; h != nil {
			a.heads[i] = h.Why
		}
	}
}

func (a *actor) say(r ledger.Answer) {
	if a.reply != nil {
		a.reply <- r
		a.reply = nil
	}
}

// begin runs what takes time beside the actor and feeds its answer.
func (a *actor) begin(act func(ctx context.Context) (ledger.Input, func())) {
	life := a.life
	a.acts++
	a.o.busy.Add(1)
	go func() {
		defer a.o.busy.Done()
		in, also := a.safely(act)
		a.post(answer{life: life, in: in, also: also})
	}()
}
