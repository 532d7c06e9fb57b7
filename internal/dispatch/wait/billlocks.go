package wait

import (
	"slices"
	"sync"

	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// BillLocks let one order at a time work on a Kingdee bill. The lock mu is a leaf: no
// other lock is taken under it.
type BillLocks struct {
	mu      sync.Mutex
	holder  map[string]orders.ID
	waiting map[string][]orders.ID // the orders that were told that the bill is locked
}

// NewBillLocks returns locks that nobody holds.
func NewBillLocks() *BillLocks {
	return &BillLocks{holder: map[string]orders.ID{}, waiting: map[string][]orders.ID{}}
}

func billKey(b ledger.Bill) string {
	if b.ID != "" {
		return b.ID
	}
	return b.OrderNo
}

// Lock gives the bill to the order; false if another order has it.
func (s *BillLocks) Lock(b ledger.Bill, k orders.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken(billKey(b), k)
}

func (s *BillLocks) taken(b string, k orders.ID) bool {
	if who, taken := s.holder[b]; taken && who != k {
		return false
	}
	s.holder[b] = k
	return true
}

// LockOrWait is Lock, but an order that does not get the bill is named by its Unlock.
func (s *BillLocks) LockOrWait(b ledger.Bill, k orders.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken(billKey(b), k) {
		return true
	}
	if !slices.Contains(s.waiting[billKey(b)], k) {
		s.waiting[billKey(b)] = append(s.waiting[billKey(b)], k)
	}
	return false
}

// Unlock releases the bill and names the orders that wait for it.
func (s *BillLocks) Unlock(b ledger.Bill, k orders.ID) []orders.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unlock(billKey(b), k)
}

func (s *BillLocks) unlock(b string, k orders.ID) []orders.ID {
	if s.holder[b] != k {
		return nil
	}
	waiting := s.waiting[b]
	delete(s.holder, b)
	delete(s.waiting, b)
	return waiting
}

// Keep is for an order that is loaded again after an eviction: it keeps the bill of its
// open call and releases its other bills. It names the orders that wait for those.
func (s *BillLocks) Keep(r ledger.Record, k orders.ID) []orders.ID {
	open := map[string]bool{}
	for _, e := range r.Effects {
		if e.Bill != nil && (e.State == ledger.Intent || e.State == ledger.InDoubt) {
			open[billKey(*e.Bill)] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var waiting []orders.ID
	for b, who := range s.holder {
		if who == k && !open[b] {
			waiting = append(waiting, s.unlock(b, k)...)
		}
	}
	return waiting
}
