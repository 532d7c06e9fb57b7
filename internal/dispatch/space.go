package dispatch

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
)

// space is what is known of the room in streams and buckets. It is asked before
// every vendor call and so holds what was last seen. Safe for concurrent use.
type space struct {
	mu    sync.Mutex
	at    time.Time          // of the last look
	share map[string]float64 // of the limit of a stream or bucket that is taken
	fault map[string]string  // why one could not be looked at
}

func (s *space) saw(f bus.Fill) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share == nil {
		s.share = map[string]float64{}
	}
	s.share[f.Name] = f.Share()
	delete(s.fault, f.Name)
	return s.share[f.Name]
}

// failed notes that a look at it failed. What was seen of its room stays.
func (s *space) failed(f bus.Fill, err error) {
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

func (s *space) looked(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = now
}

func (s *space) lacks(name string, till float64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share[name] >= till {
		return "no room in " + name
	}
	return ""
}

// lack is the first of the names without room.
func (s *space) lack(till float64, names ...string) string {
	for _, name := range names {
		if why := s.lacks(name, till); why != "" {
			return why
		}
	}
	return ""
}

// forDetails says why no detail may be read now, "" if one may.
func (s *space) forDetails() string { return s.lack(detailsTill, bus.Events, bus.State) }

// forWrites says why no vendor write may be made now: its outcome, its letter or its
// order's record would find no room.
func (s *space) forWrites() string { return s.lack(writesTill, bus.Events, bus.Dead, bus.State) }

// forIntake says why a stage may take no message now: whatever becomes of it, its
// order's record would need room that is kept for what has begun, and for the lease.
func (s *space) forIntake(stage events.Stage) string {
	if stage == events.Enrich {
		return s.lack(detailsTill, bus.State)
	}
	return s.lack(writesTill, bus.State)
}

// await blocks while the stage may take no message; it looks again every so often.
func (s *space) await(ctx context.Context, stage events.Stage, every time.Duration) {
	for s.forIntake(stage) != "" && ctx.Err() == nil {
		pause(ctx, every)
	}
}

// guard makes the tenant's gates ask for room.
func (s *space) guard(g *gates) {
	g.writes.room = s.forWrites
	for _, d := range g.detail {
		d.room = s.forDetails
	}
}

// why says what is missing, full or not known; nil if all is there and writable.
func (s *space) why(now time.Time, oldest time.Duration) error {
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
			till = writesTill
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

// shares is a copy of what was last seen.
func (s *space) shares() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.share)
}
