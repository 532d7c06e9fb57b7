package wait

import (
	"maps"
	"slices"
	"sync"

	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Waiters is the index from a vendor API to the orders that wait until it is available. Its
// lock is a leaf.
type Waiters struct {
	mu sync.Mutex
	on map[orders.ID][2]ledger.API
	by map[*Availability]map[orders.ID]bool
}

// NewWaiters returns an index of no order.
func NewWaiters() *Waiters {
	return &Waiters{on: map[orders.ID][2]ledger.API{}, by: map[*Availability]map[orders.ID]bool{}}
}

// Set replaces what an order's two stages wait for; "" is nothing.
func (w *Waiters) Set(k orders.ID, apis *APIs, on [2]ledger.API) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, api := range w.on[k] {
		if api != "" {
			delete(w.by[apis.Of(api, k.Noun)], k)
		}
	}
	delete(w.on, k)
	if on == [2]ledger.API{} {
		return
	}
	w.on[k] = on
	for _, api := range on {
		if api == "" {
			continue
		}
		a := apis.Of(api, k.Noun)
		if w.by[a] == nil {
			w.by[a] = map[orders.ID]bool{}
		}
		w.by[a][k] = true
	}
}

// Of lists the orders that wait for an API.
func (w *Waiters) Of(a *Availability) []orders.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.by[a]))
}
