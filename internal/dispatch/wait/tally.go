package wait

import (
	"maps"
	"sync"

	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Kind is a kind of waiting: in which queue, and for what.
type Kind struct {
	orders.Queue
	Why ledger.Why
}

// Tally counts the orders of a tenant that wait, by kind. Its lock is a leaf.
type Tally struct {
	mu sync.Mutex
	n  map[Kind]int64
}

// NewTally returns a tally in which every queue has 0 orders that wait with a letter.
func NewTally() *Tally {
	t := &Tally{n: map[Kind]int64{}}
	for _, q := range orders.Queues {
		t.n[Kind{q, ledger.Held}] = 0
	}
	return t
}

// Move counts an order of a noun that waited for one thing and waits for another, in
// stages enrich and handle; "" is nothing.
func (t *Tally) Move(order orders.ID, from, to [2]ledger.Why) {
	if from == to {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range ledger.Stages {
		q := orders.Queue{Stage: s, Noun: order.Noun}
		t.add(Kind{q, from[i]}, -1)
		t.add(Kind{q, to[i]}, 1)
	}
}

func (t *Tally) add(k Kind, n int64) {
	if k.Why != "" && k.Why != ledger.Running {
		t.n[k] += n
	}
}

// Counts is how many orders wait, by kind. A kind that none waits for any more is told as 0.
func (t *Tally) Counts() map[Kind]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}
