package ownership

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

// quick scales the intervals down for tests on the real clock, as far as a slow disk
// that is synced at every write allows.
func quick() Settings {
	return Settings{Renew: 100 * time.Millisecond, Expire: 1200 * time.Millisecond, Reply: 2 * time.Second, CallTimeout: 5 * time.Second}
}

// severed is a way to the real server that can be cut.
type severed struct {
	*bus.Bucket
	cut atomic.Bool
}

func (s *severed) Get(ctx context.Context, key string) (bus.Entry, error) {
	if s.cut.Load() {
		return bus.Entry{}, bus.ErrUnreachable
	}
	return s.Bucket.Get(ctx, key)
}

func (s *severed) Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error) {
	if s.cut.Load() {
		return 0, bus.ErrUnreachable
	}
	return s.Bucket.Create(ctx, key, value, opts...)
}

func (s *severed) Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error) {
	if s.cut.Load() {
		return 0, bus.ErrUnreachable
	}
	return s.Bucket.Update(ctx, key, value, revision, opts...)
}

func (s *severed) Watch(ctx context.Context, pattern string, each func(bus.Entry)) error {
	return s.Bucket.Watch(ctx, pattern, func(e bus.Entry) {
		if !s.cut.Load() {
			each(e)
		}
	})
}

// eventually asks until it is so.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); !ask(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never so: %s", what)
		}
	}
}

// real runs an instance on the real server until the function given is called.
func (c *cluster) real(t *testing.T, name string, store Store) func() {
	t.Helper()
	r, err := NewRunner(Options{Instance: name, Tenants: c.tenants, Store: store, Settings: quick()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, c.starter(stages{})) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnTheRealServer(t *testing.T) {
	bucket := bustest.New(t).Bucket(bus.State)
	c := newCluster(numbered(12)...)
	is := func(living ...string) func() bool { return func() bool { return len(c.unsettled(living...)) == 0 } }
	a := &severed{Bucket: bucket}
	stopA := c.real(t, "host.a:1", a) // a name that must be escaped
	eventually(t, "one owns all", is("host.a:1"))
	stopB := c.real(t, "b", bucket)
	eventually(t, "two share", is("host.a:1", "b"))

	old := map[string]*Tenure{}
	for _, tenant := range c.tenants {
		if o := c.owner(tenant); o.Instance == "host.a:1" {
			old[tenant] = o
			if _, err := bucket.PutFenced(t.Context(), "order."+tenant+".work_order.1", []byte("{}"), o.Fence); err != nil {
				t.Errorf("the owner's write: %v", err)
			}
		}
	}
	a.cut.Store(true)
	eventually(t, "one takes over from the dead", is("b"))
	for tenant, o := range old {
		if !errors.Is(o.Check(t.Context()), ErrLost) {
			t.Errorf("%s: the old owner may still act", tenant)
		}
		if _, err := bucket.PutFenced(t.Context(), "order."+tenant+".work_order.1", []byte("{}"), o.Fence); !errors.Is(err, bus.ErrFenced) {
			t.Errorf("%s: the old owner's write: %v", tenant, err)
		}
		if n := c.owner(tenant); n.Epoch != o.Epoch+1 || n.CleanHandover {
			t.Errorf("%s was taken from the dead as %+v", tenant, n)
		}
	}
	a.cut.Store(false)
	eventually(t, "it comes back", is("host.a:1", "b"))

	rows, err := Owners(t.Context(), bucket)
	if err != nil || len(rows) != len(c.tenants) {
		t.Fatalf("owners: %v, %v", rows, err)
	}
	for _, o := range rows {
		if n := c.owner(o.Tenant); n == nil || n.Instance != o.Instance || n.Epoch != o.Epoch || o.Renewed.IsZero() || o.Released {
			t.Errorf("owners shows %+v, it is %+v", o, n)
		}
	}
	stopB()
	eventually(t, "the other takes over from who left", is("host.a:1"))
	stopA()
	if _, err := bucket.Get(t.Context(), aliveKey("host.a:1")); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("the lease of who left: %v", err)
	}
}

// The server goes away for longer than a lease and comes back on the same store.
func TestServerRestart(t *testing.T) {
	dir := t.TempDir()
	start := func(port int) *natsd.Server {
		s, err := natsd.Start(t.Context(), natsd.Options{MaxStore: 20 << 30, Dir: dir, Port: port})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start(0)
	b := bustest.Connect(t, s, bus.Options{})
	c := newCluster(numbered(4)...)
	stop := c.real(t, "a", b.Bucket(bus.State))
	eventually(t, "one owns all", func() bool { return len(c.unsettled("a")) == 0 })
	var port int
	if _, err := fmt.Sscanf(s.URL(), "nats://127.0.0.1:%d", &port); err != nil {
		t.Fatal(s.URL(), err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all leases have run out", func() bool {
		for _, tenant := range c.tenants {
			if len(c.live(tenant)) > 0 {
				return false
			}
		}
		return true
	})
	s = start(port)
	eventually(t, "all is taken anew", func() bool { return len(c.unsettled("a")) == 0 })
	stop()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
