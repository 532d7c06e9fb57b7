package dispatch_test

import (
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
)

// However many orders are due when a tenant is taken over, no more of them run at
// once than there are places.
func TestATakeoverKeepsToItsPlaces(t *testing.T) {
	log := &testLog{}
	b := newBridge(t)
	stop := b.run("one", func(s *ledger.Settings) { s.Waits = []time.Duration{time.Millisecond} })
	if err := b.kingdee.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ids, orders []string
	for range 24 {
		number, _ := b.order()
		orders = append(orders, number)
		ids = append(ids, b.end(number, "修好"))
	}
	for _, number := range orders {
		b.until("it waits", func() bool {
			_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
			return err == nil
		})
	}
	stop()
	state := b.bus.Bucket("STATE")
	for _, number := range orders {
		// As a death leaves it between a head's end and its follower's begin.
		e, err := state.Get(t.Context(), "order.acme.work_order."+number)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ledger.Decode(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		r.Handle.Head = nil
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := state.Put(t.Context(), e.Key, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.kingdee.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var now, most atomic.Int64
	release, rules := make(chan struct{}), b.mapping
	b.mapping = func() *mapping.Mapping {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		return rules()
	}
	b.log = log
	b.change = func(o *dispatch.Options) { o.Concurrency = 3 }
	b.run("two", nil)
	b.until("the places are taken", func() bool { return log.count("tenant taken over") == 1 && now.Load() >= 3 })
	close(release)
	for _, id := range ids {
		b.ended(id, "applied")
	}
	if n := most.Load(); n > 3 {
		t.Errorf("%d orders ran at once, want 3", n)
	}
}
