package wait

import (
	"context"
	"sync"
	"time"
)

// QueryProof knows whether Kingdee's query for handling records has ever found one of our
// own for a tenant. Until it has, a query that finds nothing proves nothing. Its lock is
// a leaf: no other lock is taken under it.
type QueryProof struct {
	mu      sync.Mutex
	proven  bool
	claimed bool          // one goroutine is about to prove it
	wait    time.Duration // after the last attempt, doubled each time
	next    time.Time     // no attempt before: a query that never finds ours must not cost a read a call

	searching chan struct{} // of one place: held while the outcome events are searched for a marker
}

// NewQueryProof returns a proof that is not there yet.
func NewQueryProof() *QueryProof { return &QueryProof{searching: make(chan struct{}, 1)} }

// Proven reports whether the query has found one of our records.
func (p *QueryProof) Proven() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proven
}

// Prove notes that the query has found one of our records; false if that was known.
func (p *QueryProof) Prove() (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	news, p.proven = !p.proven, true
	return news
}

// Claim gives one goroutine the right to prove it. The next one has it only after
// Release and a wait that grows.
func (p *QueryProof) Claim() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proven || p.claimed || time.Now().Before(p.next) {
		return false
	}
	p.claimed = true
	return true
}

// Release gives the right back after an attempt that found nothing.
func (p *QueryProof) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claimed = false
	p.wait = min(max(2*p.wait, time.Second), 10*time.Minute)
	p.next = time.Now().Add(p.wait)
}

// Search lets one goroutine at a time search the outcome events; false if ctx ended first.
func (p *QueryProof) Search(ctx context.Context) (end func(), ok bool) {
	select {
	case p.searching <- struct{}{}:
		return func() { <-p.searching }, true
	case <-ctx.Done():
		return nil, false
	}
}

// Doubles are the markers that an alert has named because two handling records carry them.
// No other lock is taken under its lock.
type Doubles struct {
	mu   sync.Mutex
	told map[string]bool
}

// FirstTime is true the first time that it is asked for a marker.
func (d *Doubles) FirstTime(marker string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told == nil {
		d.told = map[string]bool{}
	}
	news := !d.told[marker]
	d.told[marker] = true
	return news
}
