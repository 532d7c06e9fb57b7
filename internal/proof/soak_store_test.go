package proof

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// patient is a Weiban that tries for as long as a fault of the store may last.
func patient() fakeweiban.Callback {
	return fakeweiban.Callback{Tries: 200, RetryWait: 150 * time.Millisecond, Timeout: 3 * time.Second}
}

// gate lets kept processes start, or not, and knows which of them are there.
type gate struct {
	mu     sync.Mutex
	opened *sync.Cond
	shut   map[*harness.Process]bool
	inside map[*harness.Process]bool
}

func newGate() *gate {
	g := &gate{shut: map[*harness.Process]bool{}, inside: map[*harness.Process]bool{}}
	g.opened = sync.NewCond(&g.mu)
	return g
}

// enter waits until a process may start.
func (g *gate) enter(p *harness.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut[p] {
		g.opened.Wait()
	}
	g.inside[p] = true
}

func (g *gate) leave(p *harness.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside[p] = false
}

// open lets processes start again.
func (g *gate) open(all ...*harness.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range all {
		delete(g.shut, p)
	}
	g.opened.Broadcast()
}

// stop ends processes softly, and lets them not start again until open.
func (g *gate) stop(t *testing.T, all ...*harness.Process) {
	t.Helper()
	g.mu.Lock()
	for _, p := range all {
		g.shut[p] = true
	}
	g.mu.Unlock()
	told := map[int]bool{} // a second SIGTERM would not be soft any more
	until(t, patience, 20*time.Millisecond, "the programs have ended", func() (bool, string) {
		left := ""
		for _, p := range all {
			if pid := p.PID(); pid != 0 && !told[pid] {
				told[pid] = p.Signal(syscall.SIGTERM) == nil
			}
			g.mu.Lock()
			if g.inside[p] {
				left += " " + p.Name
			}
			g.mu.Unlock()
		}
		return left == "", "still there:" + left
	})
}

// storeFaults are what happens to the store between kills. A nil one does nothing.
type storeFaults struct {
	every  int // so many kills apart
	last   int // kills at the last one
	played map[string]int
}

func (f *storeFaults) due(kills int) bool { return f != nil && kills >= f.last+f.every }

func (f *storeFaults) String() string {
	if f == nil {
		return "none"
	}
	return fmt.Sprint(f.played)
}

// harmStore stops everything, takes something away from the store, and lets all
// start again. Only callbacks that are cut off the end of CALLBACKS may be lost,
// and leave the books.
func (c *crash) harmStore(t *testing.T, b *books) {
	t.Helper()
	server, programs := c.in.Servers[0], append([]*harness.Process{c.in.Ingest}, c.in.Dispatchers...)
	defer c.gate.open(append(programs, server)...)
	c.gate.stop(t, programs...)
	look := func(what string, read func() error) {
		t.Helper()
		until(t, patience, 100*time.Millisecond, what, func() (bool, string) {
			err := read()
			return err == nil, fmt.Sprint(err)
		})
	}
	look("the books are read before a fault of the store", func() error { return b.read(t.Context()) })
	c.gate.stop(t, server)
	losses := c.faults.played[stateRemoved]
	cut := c.faults.play(store{t: t, dir: c.in.Path(server.Name), half: c.in.Path("copy")})
	if c.faults.played[stateRemoved] > losses {
		for _, x := range c.in.customers {
			x.forgot = append(x.forgot, len(x.Kingdee.Records("")))
		}
	}
	c.gate.open(server)
	c.in.ready(server)
	c.faults.last = c.kills()
	c.gate.open(c.in.Ingest) // which makes the streams again
	look("the books are read after a fault of the store", func() error { return b.harmed(t.Context(), cut) })
}

// cutOff is how much of the end of CALLBACKS is cut off, in bytes: some thirty callbacks.
const cutOff = 48 << 10

const stateRemoved = "STATE removed"

// play lets the next fault happen, each kind in its turn, and copies EVENTS for a
// later one; it says whether callbacks may be lost by it.
func (f *storeFaults) play(s store) (mayLose bool) {
	const state = "KV_" + bus.State
	n := 0
	for _, times := range f.played {
		n += times
	}
	kind := []string{"EVENTS removed", stateRemoved, "end of CALLBACKS cut off", "EVENTS older"}[n%4]
	f.played[kind]++
	next := s.half + "-next"
	s.must(os.CopyFS(folder(next, bus.Events), os.DirFS(folder(s.dir, bus.Events))))
	switch kind {
	case "EVENTS removed":
		s.remove(bus.Events)
	case stateRemoved:
		s.remove(state)
	case "EVENTS older":
		s.restore(bus.Events)
	default:
		file := s.lastBlock(bus.Callbacks)
		i, err := os.Stat(file)
		s.must(err)
		s.must(os.Truncate(file, max(i.Size()-cutOff, i.Size()/2)))
		s.dropIndex(bus.Callbacks)
	}
	s.must(os.RemoveAll(s.half))
	s.must(os.Rename(next, s.half))
	return kind == "end of CALLBACKS cut off"
}
