//go:build unix

package harness

import (
	"sync"
	"time"
)

// Clock is the time at Weiban, for [fakeweiban.Options].Clock: it stands still
// until it is told to pass. Weiban's times are whole seconds, and who works out
// how long somebody was at it needs acts that do not fall into the same one. Not
// for Kingdee, whose signatures need the real time. Safe for concurrent use.
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
