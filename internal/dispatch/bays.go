package dispatch

import (
	"slices"
	"sync"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// bays lets one order at a time at a Kingdee bill.
type bays struct {
	mu   sync.Mutex
	in   map[string]orders.ID
	wait map[string][]orders.ID // who was told that the bill is taken
}

func newBays() *bays { return &bays{in: map[string]orders.ID{}, wait: map[string][]orders.ID{}} }

func bay(b ledger.Bill) string {
	if b.ID != "" {
		return b.ID
	}
	return b.OrderNo
}

// enter reports whether the bill was free or the order's already.
func (s *bays) enter(b ledger.Bill, k orders.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken(bay(b), k)
}

func (s *bays) taken(b string, k orders.ID) bool {
	if who, taken := s.in[b]; taken && who != k {
		return false
	}
	s.in[b] = k
	return true
}

// enterOrWait is enter; an order that finds the bill taken is told by leave.
func (s *bays) enterOrWait(b ledger.Bill, k orders.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken(bay(b), k) {
		return true
	}
	if !slices.Contains(s.wait[bay(b)], k) {
		s.wait[bay(b)] = append(s.wait[bay(b)], k)
	}
	return false
}

// leave gives the bill back and says who waits for it.
func (s *bays) leave(b ledger.Bill, k orders.ID) []orders.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left(bay(b), k)
}

func (s *bays) left(b string, k orders.ID) []orders.ID {
	if s.in[b] != k {
		return nil
	}
	waiting := s.wait[b]
	delete(s.in, b)
	delete(s.wait, b)
	return waiting
}

// keep is for an order that is loaded anew: of the bills that it was at when it
// was let go it keeps the one of its open call alone. It says who waits for the
// others.
func (s *bays) keep(r ledger.Record, k orders.ID) []orders.ID {
	open := map[string]bool{}
	for _, e := range r.Effects {
		if e.Bill != nil && (e.State == ledger.Intent || e.State == ledger.InDoubt) {
			open[bay(*e.Bill)] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var waiting []orders.ID
	for b, who := range s.in {
		if who == k && !open[b] {
			waiting = append(waiting, s.left(b, k)...)
		}
	}
	return waiting
}

// free tells orders that a bill is free for which they were told that it is not, each
// once there is a place for it. Whoever calls may hold one, and does not wait.
func (o *owner) free(waiting []orders.ID) {
	for _, k := range waiting {
		o.mu.Lock()
		a := o.actors[k]
		o.mu.Unlock()
		if a == nil || !o.enlist() {
			continue // one that is gone waits for nothing
		}
		go func() {
			defer o.busy.Done()
			if o.seat(a, orders.Queue{Stage: events.Handle, Noun: k.Noun}) {
				a.post(freed{})
			}
		}()
	}
}
