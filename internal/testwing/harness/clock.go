//go:build unix

package harness

import (
	"sync"
	"time"
)

// Clock is the time at Weiban, for [fakeweiban.Options].Clock. It stands still until Pass
// is called. Weiban's times are whole seconds, and the duration of a person's work can
// be computed only from acts in different seconds. Kingdee's signatures need the real
// time. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock begins at that time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
