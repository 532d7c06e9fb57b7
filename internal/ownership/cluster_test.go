package ownership

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/sleep"
)

// cluster is several instances over one memory, in one bubble. At each claim it
// looks whether an older tenure of that tenant could still act.
type cluster struct {
	memory  *memory
	tenants []string
	nodes   map[string]*node

	mu      sync.Mutex
	tenures map[string][]*Tenure // all that ever began, by tenant
	faults  []string             // what must never happen, and did
}

type node struct {
	*Runner
	link   *link
	cancel context.CancelFunc
	done   chan error
	up     bool
}

// stages say how a node's tenants start and stop.
type stages struct {
	start func(*Tenure) error                  // nil: at once
	stop  func(context.Context, *Tenure) error // nil: at once, softly
}

func newCluster(tenants ...string) *cluster {
	c := &cluster{memory: newMemory(), tenants: tenants, nodes: map[string]*node{}, tenures: map[string][]*Tenure{}}
	c.memory.wrote = c.check
	return c
}

func numbered(n int) (tenants []string) {
	for i := range n {
		tenants = append(tenants, fmt.Sprintf("tenant-%d", i))
	}
	return tenants
}

// check is asked at the very moment that a claim is written.
func (c *cluster) check(e bus.Entry) {
	tenant, ok := named(ownerPrefix, e.Key)
	if !ok {
		return
	}
	is := decodeClaim(e)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tenures[tenant] {
		if t.ctx.Err() == nil && t.lease.live() {
			c.faults = append(c.faults, fmt.Sprintf("%s: %s wrote epoch %d (released %v) while %s could act under epoch %d", tenant, is.Instance, is.Epoch, is.Released, t.Instance, t.Epoch))
		}
	}
}

// join starts an instance.
func (c *cluster) join(t *testing.T, name string, set Settings, s stages) *node {
	t.Helper()
	l := newLink(c.memory)
	r, err := NewRunner(Options{Instance: name, Tenants: c.tenants, Store: l, Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	r.clock.after = func(d time.Duration, f func()) *time.Timer {
		return time.AfterFunc(d, func() {
			l.pass() // a process that stands still hears no timer
			f()
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{Runner: r, link: l, cancel: cancel, done: make(chan error, 1), up: true}
	c.nodes[name] = n
	go func() { n.done <- r.Run(ctx, c.starter(s)) }()
	return n
}

func (c *cluster) starter(s stages) Start {
	return func(t *Tenure) (Stop, error) {
		c.mu.Lock()
		c.tenures[t.Tenant] = append(c.tenures[t.Tenant], t)
		if !t.lease.live() {
			c.faults = append(c.faults, fmt.Sprintf("%s: started by %s under epoch %d after its lease", t.Tenant, t.Instance, t.Epoch))
		}
		c.mu.Unlock()
		if s.start != nil {
			if err := s.start(t); err != nil {
				return nil, err
			}
		}
		return func(ctx context.Context) error {
			if s.stop != nil {
				return s.stop(ctx, t)
			}
			return nil
		}, nil
	}
}

// leave shuts an instance down.
func (c *cluster) leave(n *node) error {
	n.up = false
	n.cancel()
	return <-n.done
}

// end mends all links and shuts everything down.
func (c *cluster) end(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		n.link.set(healthy, 0)
	}
	for _, name := range slices.Sorted(maps.Keys(c.nodes)) {
		if n := c.nodes[name]; n.up {
			if err := c.leave(n); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) > 0 {
		t.Error(strings.Join(c.faults, "\n"))
	}
}

// live is who may act for the tenant right now.
func (c *cluster) live(tenant string) (out []*Tenure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tenures[tenant] {
		if t.ctx.Err() == nil && t.lease.live() {
			out = append(out, t)
		}
	}
	return out
}

// owner is who alone may act for the tenant right now; nil if nobody may.
func (c *cluster) owner(tenant string) *Tenure {
	if live := c.live(tenant); len(live) == 1 {
		return live[0]
	}
	return nil
}

// unsettled says which tenants are not owned by exactly who should, of the living.
func (c *cluster) unsettled(living ...string) (out []string) {
	for _, tenant := range c.tenants {
		want, live := Rendezvous(tenant, living), c.live(tenant)
		if len(live) != 1 || live[0].Instance != want {
			var who []string
			for _, t := range live {
				who = append(who, fmt.Sprintf("%s/%d", t.Instance, t.Epoch))
			}
			out = append(out, fmt.Sprintf("%s is owned by %v, not by %s", tenant, who, want))
		}
	}
	return out
}

func (c *cluster) settled(t *testing.T, living ...string) {
	t.Helper()
	synctest.Wait()
	for _, u := range c.unsettled(living...) {
		t.Error(u)
	}
}

// slowly stops within d if it may, and is cut off otherwise.
func slowly(d time.Duration) func(context.Context, *Tenure) error {
	return func(ctx context.Context, _ *Tenure) error {
		if !sleep.For(ctx, d) {
			return errors.New("cut off")
		}
		return nil
	}
}
