package wait

import (
	"sync"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// Evictions keeps, for each evicted order, the highest delivery that was dropped with it.
// JetStream redelivers those only after AckWait; until then later messages must not start.
// The lock mu is a leaf: no other lock is taken under it.
type Evictions struct {
	mu sync.Mutex
	of map[orders.ID]*eviction
}

type eviction struct {
	top   [2]uint64 // the highest message of enrich and of handle that was dropped
	fails int       // in a row
	broke []ledger.Broke
}

// NewEvictions returns evictions of no order.
func NewEvictions() *Evictions { return &Evictions{of: map[orders.ID]*eviction{}} }

func (s *Evictions) at(k orders.ID) *eviction {
	l := s.of[k]
	if l == nil {
		l = &eviction{}
		s.of[k] = l
	}
	return l
}

// Dropped notes a delivery that no actor holds any more.
func (s *Evictions) Dropped(k orders.ID, st events.Stage, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.top[ledger.Index(st)] = max(l.top[ledger.Index(st)], seq)
}

// Backoff is how long to wait before the order is loaded again: longer after each failure.
func (s *Evictions) Backoff(k orders.ID, beat time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.fails++
	return beat << min(l.fails-1, 6)
}

// Loaded notes that the order was loaded.
func (s *Evictions) Loaded(k orders.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.of[k]; l != nil {
		l.fails = 0
		s.tidy(k, l)
	}
}

// Settled reports whether all dropped deliveries of the stage have been settled since.
func (s *Evictions) Settled(k orders.ID, st events.Stage, cursor uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.of[k]
	if l == nil {
		return true
	}
	if l.top[ledger.Index(st)] > cursor {
		return false
	}
	l.top[ledger.Index(st)] = 0
	s.tidy(k, l)
	return true
}

// Blame notes the message whose work a fault of ours ended.
func (s *Evictions) Blame(k orders.ID, b ledger.Broke) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.broke = append(l.broke, b)
}

// TakeBlamed returns what Blame noted, once.
func (s *Evictions) TakeBlamed(k orders.ID) []ledger.Broke {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.of[k]
	if l == nil {
		return nil
	}
	out := l.broke
	l.broke = nil
	s.tidy(k, l)
	return out
}

func (s *Evictions) tidy(k orders.ID, l *eviction) {
	if l.fails == 0 && l.top == [2]uint64{} && len(l.broke) == 0 {
		delete(s.of, k)
	}
}
