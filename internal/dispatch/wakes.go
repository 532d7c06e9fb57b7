package dispatch

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"gongdan-bridge/internal/orders"
)

// wakes is one timer for all waiting orders of a tenant.
type wakes struct {
	mu    sync.Mutex
	queue wakeQueue
	at    map[orders.ID]*wake
	kick  chan struct{}
}

type wake struct {
	key   orders.ID
	at    time.Time
	index int
}

func newWakes() *wakes {
	return &wakes{at: map[orders.ID]*wake{}, kick: make(chan struct{}, 1)}
}

// set replaces the order's wake; the zero time takes it back.
func (w *wakes) set(k orders.ID, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.at[k]
	switch {
	case at.IsZero() && e == nil:
		return
	case at.IsZero():
		heap.Remove(&w.queue, e.index)
		delete(w.at, k)
		return
	case e == nil:
		e = &wake{key: k, at: at}
		w.at[k] = e
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

// due takes out the earliest wake if its time has come; else it says how long
// that takes.
func (w *wakes) due(now time.Time) (orders.ID, bool, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return orders.ID{}, false, time.Hour
	}
	if d := w.queue[0].at.Sub(now); d > 0 {
		return orders.ID{}, false, d
	}
	e := heap.Pop(&w.queue).(*wake)
	delete(w.at, e.key)
	return e.key, true, 0
}

// run calls each for every order whose time has come, until ctx ends.
func (w *wakes) run(ctx context.Context, each func(orders.ID)) {
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

// wakeQueue is a heap by time.
type wakeQueue []*wake

func (q wakeQueue) Len() int           { return len(q) }
func (q wakeQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q wakeQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for package heap.
func (q *wakeQueue) Push(x any) {
	e := x.(*wake)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop is for package heap.
func (q *wakeQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}
