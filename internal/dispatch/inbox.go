package dispatch

import (
	"sync"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// item is what an actor takes from its inbox: one of the types below.
type item interface{ item() }

type (
	delivery struct { // a message from the consumer
		m       *bus.Delivery
		stage   events.Stage
		inOrder bool // no message of the queue can be missing before it
		again   bool // it may have been begun before
	}
	timer struct{} // the order's timer is due
	load  struct { // load the order, if it is not loaded
		record *ledger.Record // from its record, if that is known
		loaded chan<- bool    // told whether it is; nil: nobody asks
	}
	resumed struct{ api *wait.Availability } // a vendor's API is available again
	answer  struct {                         // an act has ended
		life   int
		result result
	}
	operator struct { // an operator's decision on a waiting head
		in    ledger.Operator
		reply chan<- ledger.Answer
	}
	expiring struct{ in ledger.Expiring } // a waiting message is about to leave its stream
	freed    struct{}                     // a bill is unlocked that the order waits for
)

func (delivery) item() {}
func (timer) item()    {}
func (load) item()     {}
func (resumed) item()  {}
func (answer) item()   {}
func (operator) item() {}
func (expiring) item() {}
func (freed) item()    {}

// inbox is the part of an actor that any goroutine touches, under its lock mu. The lock of
// the owner is taken before it, never under it.
type inbox struct {
	mu     sync.Mutex
	items  []item
	active bool   // a goroutine runs the actor
	gone   bool   // no longer the order's actor; another one is
	leave  func() // gives the slot back; nil without one
}

func (n load) tell(loaded bool) {
	select {
	case n.loaded <- loaded:
	default: // nobody asks, or was told
	}
}

// post puts an item into the inbox; false if this is no longer the order's actor.
func (a *actor) post(x item) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return false
	}
	a.items = append(a.items, x)
	if !a.active {
		a.active = true
		a.o.busy.Add(1)
		go a.run()
	}
	return true
}

// hasSlot reports whether the order has a slot.
func (a *actor) hasSlot() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leave != nil
}

// takeSlot takes a slot; a second one goes back at once.
func (a *actor) takeSlot(leave func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leave != nil || a.gone {
		leave()
		return
	}
	a.leave = leave
}

// nextItem takes the oldest item out; false when there is none, and the goroutine ends. An
// order at rest then gives its slot back, and may leave memory.
func (a *actor) nextItem() (item, bool) {
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.items) > 0 {
		x := a.items[0]
		a.items = a.items[1:]
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
			a.current = [2]current{}
		}
		if !a.loaded || a.ledger.Idle() && len(a.o.actors) > maxIdle {
			delete(a.o.actors, a.key)
			a.gone = true
			a.o.waiters.Set(a.key, a.o.apis, [2]ledger.API{})
			a.o.tally.Move(a.key, a.heads, [2]ledger.Why{})
		}
	}
	return nil, false
}
