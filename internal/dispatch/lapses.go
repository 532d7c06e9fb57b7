package dispatch

import (
	"sync"
	"time"

	"gongdan-bridge/internal/events"
)

// lapses remembers of orders that were let go what had been delivered of them: it
// comes again only after a while, and what is delivered meanwhile must not
// overtake it, although no delivery is missing.
type lapses struct {
	mu sync.Mutex
	of map[order]*lapse
}

type lapse struct {
	top   [2]uint64 // the highest message of enrich and of handle that was let go
	fails int       // in a row
}

func newLapses() *lapses { return &lapses{of: map[order]*lapse{}} }

func (s *lapses) at(k order) *lapse {
	l := s.of[k]
	if l == nil {
		l = &lapse{}
		s.of[k] = l
	}
	return l
}

// lost notes a delivery that nobody holds any more.
func (s *lapses) lost(k order, st events.Stage, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.top[at(st)] = max(l.top[at(st)], seq)
}

// again is how long to wait before the order is loaded once more: longer each
// time that it fails.
func (s *lapses) again(k order, beat time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.fails++
	return beat << min(l.fails-1, 6)
}

// loaded notes that the order could be loaded.
func (s *lapses) loaded(k order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.of[k]; l != nil {
		l.fails = 0
		s.tidy(k, l)
	}
}

// over reports whether all that was let go of the stage has been settled since.
func (s *lapses) over(k order, st events.Stage, cursor uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.of[k]
	if l == nil {
		return true
	}
	if l.top[at(st)] > cursor {
		return false
	}
	l.top[at(st)] = 0
	s.tidy(k, l)
	return true
}

func (s *lapses) tidy(k order, l *lapse) {
	if l.fails == 0 && l.top == [2]uint64{} {
		delete(s.of, k)
	}
}
