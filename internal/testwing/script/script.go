package script

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// Script says which call suffers which fault. Faults that were added are used
// up in their order; after them come the chances. The zero Script and a nil one
// play no fault. Safe for concurrent use.
type Script struct {
	mu      sync.Mutex
	seed    uint64
	faults  []*entry
	chances []chance
	nth     map[target]uint64
	played  map[Kind]int
	late    []func()
}

type target struct{ api, key string }

// entry is a fault with the number of calls that it still affects.
type entry struct {
	Fault
	skip, left int
}

type chance struct {
	Fault
	share float64
}

// New gives a script without faults. The seed decides what chances do.
func New(seed uint64) *Script {
	return &Script{seed: seed}
}

// Add puts faults at the end of the script.
func (s *Script) Add(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, &entry{Fault: f, skip: f.After, left: max(f.Times, 1)})
	}
}

// Chance lets a share (0 to 1) of the calls that match f suffer it; Times and
// After are not looked at. Whether the n-th call of an API about an order is
// hit depends on the seed and on nothing else.
func (s *Script) Chance(share float64, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chances = append(s.chances, chance{Fault: f, share: share})
}

// Clear takes back every fault and chance that has not happened yet. What
// [Late] calls hold is still carried out.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.chances = nil, nil
}

// Left returns the added faults that have not been used up, with Times as the
// number still to come (below 0: without end).
func (s *Script) Left() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, e := range s.faults {
		f := e.Fault
		f.After = e.skip
		if f.Times >= 0 {
			f.Times = e.left
		}
		out = append(out, f)
	}
	return out
}

// Played counts the faults that have happened, by kind.
func (s *Script) Played() map[Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[Kind]int, len(s.played))
	for k, n := range s.played {
		out[k] = n
	}
	return out
}

// Next uses up and returns the fault of the next call of api about key; its
// Kind is None if nothing goes wrong.
func (s *Script) Next(api, key string) Fault {
	if s == nil {
		return Fault{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.added(api, key)
	if f.Kind == None {
		f = s.drawn(api, key)
	}
	if f.Kind != None {
		if s.played == nil {
			s.played = map[Kind]int{}
		}
		s.played[f.Kind]++
	}
	return f
}

func (s *Script) added(api, key string) Fault {
	for i, e := range s.faults {
		if !e.matches(api, key) {
			continue
		}
		if e.skip > 0 {
			e.skip--
			continue
		}
		if e.Times >= 0 {
			e.left--
			if e.left == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return e.Fault
	}
	return Fault{}
}

// drawn asks the chances. The dice are the seed, the call's name and its
// number, so that calls running side by side cannot change each other's luck.
func (s *Script) drawn(api, key string) Fault {
	if len(s.chances) == 0 {
		return Fault{}
	}
	if s.nth == nil {
		s.nth = map[target]uint64{}
	}
	c := target{api, key}
	s.nth[c]++
	h := fnv.New64a()
	_, _ = h.Write([]byte(api + "\x00" + key)) // never fails
	dice := rand.New(rand.NewPCG(s.seed^h.Sum64(), s.nth[c]))
	for _, ch := range s.chances {
		if hit := dice.Float64() < ch.share; hit && ch.matches(api, key) {
			return ch.Fault
		}
	}
	return Fault{}
}

// hold keeps a call that is carried out after its caller was cut off.
func (s *Script) hold(d time.Duration, run func()) {
	once := sync.OnceFunc(run)
	s.mu.Lock()
	s.late = append(s.late, once)
	s.mu.Unlock()
	if d > 0 {
		time.AfterFunc(d, once)
	}
}

// Release carries out, now, every call that a [Late] fault still holds, in
// their order, and returns once they are done.
func (s *Script) Release() {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, run := range late {
		run()
	}
}
