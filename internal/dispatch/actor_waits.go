package dispatch

import (
	"time"

	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// waitsFor reports whether the order asked to be woken when the gate opens.
func (a *actor) waitsFor(g *wait.Availability) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, api := range a.wake.On {
		if api != "" && a.o.apis.Of(api, a.key.Noun) == g {
			return true
		}
	}
	return false
}

func (a *actor) resume(g *wait.Availability) {
	for _, api := range []ledger.API{ledger.Detail, ledger.Reads, ledger.Uploads, ledger.Writes} {
		if a.o.apis.Of(api, a.key.Noun) == g {
			a.feed(ledger.Resumed{On: api})
		}
	}
}

// waitsWhy is what the order's stages wait for, "" for nothing.
func (a *actor) waitsWhy() [2]ledger.Why {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heads
}

// arm asks for the order's next timer, at the desk that it is for.
func (a *actor) arm(w ledger.Wake) {
	r, due := a.ledger.Record, events.Handle
	if h := r.Enrich.Head; h != nil && (r.Handle.Head == nil || r.Handle.Head.Why == ledger.Held || h.Next.Before(r.Handle.Head.Next)) {
		due = events.Enrich
	}
	a.mu.Lock()
	a.wake = w
	a.mu.Unlock()
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
