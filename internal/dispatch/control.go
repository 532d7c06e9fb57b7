package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/orders"
)

// control is the positive control of the looks: whether the query for handling
// records has ever found one of our own for this tenant. It is on record, since
// it stays true.
type control struct {
	mu     sync.Mutex
	proven bool
	asked  bool // somebody is about to
	wait   time.Duration
	next   time.Time // not asked before: a query that never shows our records must not cost a read a call

	proving chan struct{} // held by whoever looks for a record that outcome events tell of
}

func (c *control) believed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proven
}

// first is true once, until again and a while after that, longer each time:
// somebody should prove it now.
func (c *control) first() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proven || c.asked || time.Now().Before(c.next) {
		return false
	}
	c.asked = true
	return true
}

func (c *control) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = false
	c.wait = min(max(2*c.wait, time.Second), 10*time.Minute)
	c.next = time.Now().Add(c.wait)
}

func (o *owner) loadControl(ctx context.Context) error {
	e, err := o.d.state.Get(ctx, orders.ProofKey(o.t.Name))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var p proof
	// Where records were lost, what was proved before is to be proved once more.
	o.control.proven = json.Unmarshal(e.Value, &p) == nil && p.Proven && (!o.lost() || p.History == o.store.History)
	return nil
}

// doubles are the markers that two handling records carry, and that were told.
type doubles struct {
	mu   sync.Mutex
	told map[string]bool
}

// add is true the first time.
func (d *doubles) add(marker string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told == nil {
		d.told = map[string]bool{}
	}
	news := !d.told[marker]
	d.told[marker] = true
	return news
}

// proof is the positive control on record.
type proof struct {
	Proven  bool   `json:"proven"`
	History string `json:"history,omitempty"` // of the store, in which it was proved
}

// proved keeps that the query has found one of our records.
func (o *owner) proved(ctx context.Context) {
	o.control.mu.Lock()
	known := o.control.proven
	o.control.proven = true
	o.control.mu.Unlock()
	if known {
		return
	}
	value, err := json.Marshal(proof{true, o.store.History})
	if err == nil {
		_, err = o.d.state.PutFenced(ctx, orders.ProofKey(o.t.Name), value, o.tenure.Fence)
	}
	if err != nil {
		o.log.Debug("control not recorded", slog.String("cause", err.Error()))
	}
}
