package dispatch

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// lapses remembers of orders that were let go what had been delivered of them: it
// comes again only after a while, and what is delivered meanwhile must not
// overtake it, although no delivery is missing.
type lapses struct {
	mu sync.Mutex
	of map[orders.ID]*lapse
}

type lapse struct {
	top   [2]uint64 // the highest message of enrich and of handle that was let go
	fails int       // in a row
	broke []ledger.Broke
}

func newLapses() *lapses { return &lapses{of: map[orders.ID]*lapse{}} }

func (s *lapses) at(k orders.ID) *lapse {
	l := s.of[k]
	if l == nil {
		l = &lapse{}
		s.of[k] = l
	}
	return l
}

// lost notes a delivery that nobody holds any more.
func (s *lapses) lost(k orders.ID, st events.Stage, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.top[ledger.Index(st)] = max(l.top[ledger.Index(st)], seq)
}

// again is how long to wait before the order is loaded once more: longer each
// time that it fails.
func (s *lapses) again(k orders.ID, beat time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.fails++
	return beat << min(l.fails-1, 6)
}

// loaded notes that the order could be loaded.
func (s *lapses) loaded(k orders.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.of[k]; l != nil {
		l.fails = 0
		s.tidy(k, l)
	}
}

// over reports whether all that was let go of the stage has been settled since.
func (s *lapses) over(k orders.ID, st events.Stage, cursor uint64) bool {
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

// blame notes the message whose work a fault of ours ended.
func (s *lapses) blame(k orders.ID, b ledger.Broke) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at(k)
	l.broke = append(l.broke, b)
}

// blamed gives what was noted, once.
func (s *lapses) blamed(k orders.ID) []ledger.Broke {
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

func (s *lapses) tidy(k orders.ID, l *lapse) {
	if l.fails == 0 && l.top == [2]uint64{} && len(l.broke) == 0 {
		delete(s.of, k)
	}
}

// forget drops the order from memory: what is on record is all that is needed
// to go on. If something waits, it is loaded anew in a moment.
func (a *actor) forget(what string, err error) {
	if errors.Is(err, bus.ErrFenced) {
		a.o.tenure.Lost()
	}
	if a.o.soft.Err() == nil {
		a.o.log.Warn("order let go", slog.String("order", a.key.Key), slog.String("what", what), slog.String("cause", err.Error()))
	}
	listed := a.listed
	for i := range a.hands {
		a.hands[i].end("given back")
	}
	for k := range a.held {
		a.o.lapses.lost(a.key, k.stage, k.seq)
	}
	a.life++
	a.loaded, a.acts, a.ledger = false, 0, ledger.Order{}
	a.held, a.hands, a.listed = map[held]*bus.Delivery{}, [2]hand{}, listed
	a.say(ledger.Answer{Refused: "the order was let go; try again in a moment"})
	if a.o.ctx.Err() != nil {
		return
	}
	time.AfterFunc(a.o.lapses.again(a.key, a.o.d.o.Beat), func() {
		if a.o.enlist() {
			defer a.o.busy.Done()
			a.o.bring(a.key, listed, orders.Queue{Stage: events.Handle, Noun: a.key.Noun}, nudge{})
		}
	})
}

// refuse gives back what came for an order that could not be loaded.
func (a *actor) refuse(x any) {
	switch x := x.(type) {
	case nudge:
		x.tell(false)
	case delivery:
		a.o.lapses.lost(a.key, x.stage, x.m.Sequence)
	case spoken:
		select {
		case x.reply <- ledger.Answer{Refused: "the order cannot be worked on now; try again in a moment"}:
		default: // answered
		}
	}
}
