package dispatch

import (
	"time"

	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

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
