package dispatch

import (
	"errors"
	"math/rand/v2"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// maxIdle is how many orders at rest are kept in memory: the next event of such an order
// costs no read.
const maxIdle = 1024

// actor is one order in memory. Any goroutine that has something for the order posts it; one
// goroutine at a time takes what was posted, steps the ledger, and carries out its actions.
// An order that is worked on has a slot of its queue; one that only waits has neither slot
// nor goroutine.
type actor struct {
	o   *owner
	key orders.ID

	inbox  // of all goroutines
	memory // of the goroutine that runs the actor
}

// memory is what only the goroutine that runs an actor touches.
type memory struct {
	listed  bool // its wait key is there
	loaded  bool
	life    int // counts evictions: an answer to an earlier life is dropped
	acts    int // begun and not answered
	ledger  ledger.Order
	held    map[held]*bus.Delivery
	current [2]current // of enrich and of handle
	set     ledger.Settings
	asker   chan<- ledger.Answer
	heads   [2]ledger.Why // what its stages wait for, as the tally has it
	fed     ledger.Input  // what the ledger takes at the moment; nil: nothing
}

// held names a delivery that is not acknowledged.
type held struct {
	stage events.Stage
	seq   uint64
}

func newActor(o *owner, k orders.ID, listed bool) *actor {
	return &actor{o: o, key: k, memory: memory{listed: listed, held: map[held]*bus.Delivery{}, set: o.t.Ledger}}
}

// run takes the items of the inbox until none is left. While an act is under way the
// goroutine ends and the order keeps its slot; the answer starts the goroutine again.
func (a *actor) run() {
	for {
		x, ok := a.nextItem()
		if !ok {
			return
		}
		a.takeSafely(x)
	}
}

func (a *actor) take(x item) {
	if x, ok := x.(answer); ok && x.life != a.life {
		return
	}
	if !a.loaded && !a.takeUp(x) {
		a.refuse(x)
		return
	}
	switch x := x.(type) {
	case load:
		x.tell(true)
	case delivery:
		a.deliver(x)
	case timer:
		a.feed(ledger.Timer{})
	case resumed:
		a.resume(x.api)
	case answer:
		a.acts--
		if in := x.result.take(a); in != nil && x.life == a.life {
			a.feed(in)
		}
	case operator:
		a.asker = x.reply
		a.feed(x.in)
		a.reply(ledger.Answer{Refused: "the order was evicted from memory; try again in a moment"})
	case expiring:
		a.feed(x.in)
	case freed:
		a.feed(ledger.Freed{})
	}
}

// takeUp loads the order from its record. Where that fails nothing is done: a delivery is
// redelivered, and a waiting order is tried again.
func (a *actor) takeUp(x item) bool {
	var r ledger.Record
	var err error
	if n, ok := x.(load); ok && n.record != nil {
		r = *n.record
	} else {
		if r, err = orders.ReadRecord(a.o.ctx, a.o.d.state, a.o.t.Name, a.key); err != nil {
			a.evict("record not read", err)
			return false
		}
	}
	in := ledger.Takeover{
		Quiet: a.o.quietUntil(), Listed: a.listed, History: a.o.store.History(), Start: a.o.recheck(a.key.Noun), Doubtful: a.o.store.Doubtful(),
	}
	if in.Recovery, err = a.o.store.Recovery(a.o.ctx, a.key, r, a.o.recheck(a.key.Noun), a.o.rechecking()); err != nil {
		a.evict("streams not read", err)
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
	a.current[ledger.Index(x.stage)].offer(m)
	inOrder := a.o.evictions.Settled(a.key, x.stage, a.ledger.Record.Progress(x.stage).Cursor) && x.inOrder
	a.feed(ledger.Delivered{Stage: x.stage, Message: m.Message, Again: x.again, InOrder: inOrder})
}

// feed gives the ledger one input and carries out its actions.
func (a *actor) feed(in ledger.Input) {
	a.fed = in
	m := a.o.apis.Moment(time.Now(), rand.Float64(), a.key.Noun)
	order, acts := ledger.Step(a.ledger, m, in, a.set)
	a.ledger = order
	for _, act := range acts {
		if err := a.carryOut(act); err != nil {
			var f *events.Failure
			if errors.As(err, &f) && f.Kind == events.Internal {
				a.blame(nil, f)
			}
			a.evict("not carried out", err)
			return
		}
	}
	a.fed = nil
	a.current[0].tidy()
	a.current[1].tidy()
	var heads [2]ledger.Why
	for i, s := range ledger.Stages {
		if h := a.ledger.Record.Progress(s).Head; h != nil {
			heads[i] = h.Why
		}
	}
	a.o.tally.Move(a.key, a.heads, heads)
	a.heads = heads
}

func (a *actor) reply(r ledger.Answer) {
	if a.asker != nil {
		a.asker <- r
		a.asker = nil
	}
}
