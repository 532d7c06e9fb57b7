package wait

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"gongdan-bridge/internal/orders"
)

// Timers wakes the waiting orders of one queue with a single timer. The lock mu is a leaf:
// no other lock is taken under it.
type Timers struct {
	mu    sync.Mutex
	queue timerHeap
	At    map[orders.ID]*entry
	kick  chan struct{}
}

// entry is the timer of one order.
type entry struct {
	key   orders.ID
	at    time.Time
	index int
}

// NewTimers returns timers without an order.
func NewTimers() *Timers {
	return &Timers{At: map[orders.ID]*entry{}, kick: make(chan struct{}, 1)}
}

// Set replaces the order's timer; the zero time removes it.
func (w *Timers) Set(k orders.ID, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.At[k]
	switch {
	case at.IsZero() && e == nil:
		return
	case at.IsZero():
		heap.Remove(&w.queue, e.index)
		delete(w.At, k)
		return
	case e == nil:
		e = &entry{key: k, at: at}
		w.At[k] = e
		heap.Push(&w.queue, e)
	default:
		e.at = at
		heap.Fix(&w.queue, e.index)
	}
	if w.queue[0] == e {
		select {
		case w.kick <- struct{}{}:
		default:
		}
	}
}

// due removes and returns the earliest order if its time has come; else it says how long
// that takes.
func (w *Timers) due(now time.Time) (orders.ID, bool, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return orders.ID{}, false, time.Hour
	}
	if d := w.queue[0].at.Sub(now); d > 0 {
		return orders.ID{}, false, d
	}
	e := heap.Pop(&w.queue).(*entry)
	delete(w.At, e.key)
	return e.key, true, 0
}

// Run calls each for every order whose time has come, until ctx ends.
func (w *Timers) Run(ctx context.Context, each func(orders.ID)) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for ctx.Err() == nil {
		k, ok, wait := w.due(time.Now())
		if ok {
			each(k)
			continue
		}
		t.Reset(wait)
		select {
		case <-ctx.Done():
		case <-w.kick:
		case <-t.C:
		}
	}
}

// timerHeap orders timers by time.
type timerHeap []*entry

func (q timerHeap) Len() int           { return len(q) }
func (q timerHeap) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q timerHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for package heap.
func (q *timerHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop is for package heap.
func (q *timerHeap) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
