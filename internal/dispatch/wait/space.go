package wait

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sleep"
)

// Shares of a stream's or bucket's size limit. A stream that cannot be trimmed first holds
// back the details, which fill EVENTS, and only then the writes, which empty it: the other
// way round neither would ever go on. The bucket STATE holds back both in the same order.
const (
	detailsUpTo = 0.85
	writesUpTo  = 0.95
	fullFrom    = 0.99 // of those that no call depends on
)

// Space knows how full the streams and buckets are. It is asked before every vendor call,
// so it answers from what was last seen. It is safe for concurrent use; its lock is a leaf.
type Space struct {
	mu    sync.Mutex
	at    time.Time          // of the last look
	share map[string]float64 // of the limit of a stream or bucket that is taken
	fault map[string]string  // why one could not be looked at
}

// Saw notes how full a stream or bucket is, and returns the taken share of its limit.
func (s *Space) Saw(f bus.Fill) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share == nil {
		s.share = map[string]float64{}
	}
	s.share[f.Name] = f.Share()
	delete(s.fault, f.Name)
	return s.share[f.Name]
}

// Failed notes that a stream or bucket could not be read. What was seen of it before stays.
func (s *Space) Failed(f bus.Fill, err error) {
	why := fmt.Sprintf("%s %s: %v", f.Kind(), f.Name, err)
	if errors.Is(err, bus.ErrUnprovisioned) {
		why = fmt.Sprintf("%s %s is not there", f.Kind(), f.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		s.fault = map[string]string{}
	}
	s.fault[f.Name] = why
}

// Looked notes when all of them were read.
func (s *Space) Looked(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = now
}

func (s *Space) lacks(name string, till float64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share[name] >= till {
		return "no room in " + name
	}
	return ""
}

// lack names the first of them that is too full.
func (s *Space) lack(till float64, names ...string) string {
	for _, name := range names {
		if why := s.lacks(name, till); why != "" {
			return why
		}
	}
	return ""
}

// forDetails says why no detail may be read now, "" if one may.
func (s *Space) forDetails() string { return s.lack(detailsUpTo, bus.Events, bus.State) }

// forWrites says why no vendor write may be made now: its outcome, its letter or its
// order's record would find no space.
func (s *Space) forWrites() string { return s.lack(writesUpTo, bus.Events, bus.Dead, bus.State) }

// forIntake says why a stage may take no message now: its order's record would take space
// that is kept for messages already begun and for the lease.
func (s *Space) forIntake(stage events.Stage) string {
	if stage == events.Enrich {
		return s.lack(detailsUpTo, bus.State)
	}
	return s.lack(writesUpTo, bus.State)
}

// Await blocks while the stage may take no message; it asks again every so often.
func (s *Space) Await(ctx context.Context, stage events.Stage, every time.Duration) {
	for s.forIntake(stage) != "" && ctx.Err() == nil {
		sleep.For(ctx, every)
	}
}

// Guard makes the tenant's APIs ask for space before a call.
func (s *Space) Guard(g *APIs) {
	g.Writes.space = s.forWrites
	for _, d := range g.Details {
		d.space = s.forDetails
	}
}

// Why says what is missing, full or not known; nil if all is there and writable.
func (s *Space) Why(now time.Time, oldest time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.at.IsZero():
		return errors.New("streams and buckets have not been looked at yet")
	case now.Sub(s.at) > oldest:
		return fmt.Errorf("streams and buckets have not been looked at for %v", now.Sub(s.at).Round(time.Second))
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.fault)) {
		all = append(all, s.fault[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.share)) {
		till := fullFrom
		if name == bus.Events || name == bus.Dead || name == bus.State {
			till = writesUpTo
		}
		if s.share[name] >= till {
			all = append(all, fmt.Sprintf("no room in %s: %d %% of its size is taken", name, int(100*s.share[name])))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// Shares is a copy of what was last seen.
func (s *Space) Shares() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.share)
}
