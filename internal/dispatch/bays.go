package dispatch

import (
	"sync"

	"gongdan-bridge/internal/ledger"
)

// bays lets one order at a time at a Kingdee bill.
type bays struct {
	mu sync.Mutex
	in map[string]order
}

func bay(b ledger.Bill) string {
	if b.ID != "" {
		return b.ID
	}
	return b.OrderNo
}

// enter reports whether the bill was free or the order's already.
func (s *bays) enter(b ledger.Bill, k order) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if who, taken := s.in[bay(b)]; taken && who != k {
		return false
	}
	s.in[bay(b)] = k
	return true
}

func (s *bays) leave(b ledger.Bill, k order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in[bay(b)] == k {
		delete(s.in, bay(b))
	}
}
