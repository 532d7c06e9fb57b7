package fakevendor

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Breach is one call more than a limit allows.
type Breach struct {
	At   time.Time
	API  string
	Rule string // the limit, where a vendor has several; "" else
}

// Calls counts the calls of one API.
type Calls struct {
	Total   int // all that came
	OK      int // answered as a success
	Blocked int // refused because the API was shut
	Peak    int // most calls of all APIs in progress when one of this API came
}

// Counts is the register of calls and breaches. The zero Counts is empty. Its methods
// may be called concurrently.
type Counts struct {
	mu       sync.Mutex
	calls    map[string]Calls
	breaches []Breach
}

// Count changes the counts of one API. change must not call the register.
func (c *Counts) Count(api string, change func(*Calls)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]Calls{}
	}
	n := c.calls[api]
	change(&n)
	c.calls[api] = n
}

// Breach registers a breach.
func (c *Counts) Breach(b Breach) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breaches = append(c.breaches, b)
}

// Breaches returns every breach so far, in time order.
func (c *Counts) Breaches() []Breach {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.breaches)
}

// Calls returns the counts by API.
func (c *Counts) Calls() map[string]Calls {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}
