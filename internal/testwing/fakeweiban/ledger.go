package fakeweiban

import (
	"slices"
	"time"
)

// Attempt is one time that a callback was posted.
type Attempt struct {
	At         time.Time
	RetryCount int
	Status     int    // HTTP status of the answer; 0 if there was none
	Fault      string // why there was none
}

// Delivery is all that is known of one message id.
type Delivery struct {
	ID, Event, Status, Key string
	Attempts               []Attempt
}

// Accepted says whether the receiver has answered 200 at least once: from then
// on the message is the receiver's to lose.
func (d Delivery) Accepted() bool {
	return slices.ContainsFunc(d.Attempts, func(a Attempt) bool { return a.Status == 200 })
}

// Ledger returns what became of every message id that was sent, in the order of
// their first sending. Messages that were never sent are not in it.
func (s *Server) Ledger() []Delivery {
	s.courier.mu.Lock()
	defer s.courier.mu.Unlock()
	out := make([]Delivery, 0, len(s.courier.sent))
	for _, id := range s.courier.sent {
		d := *s.courier.ledger[id]
		d.Attempts = slices.Clone(d.Attempts)
		out = append(out, d)
	}
	return out
}

// Delivery returns what became of one message id.
func (s *Server) Delivery(id string) (Delivery, bool) {
	s.courier.mu.Lock()
	defer s.courier.mu.Unlock()
	d := s.courier.ledger[id]
	if d == nil {
		return Delivery{}, false
	}
	c := *d
	c.Attempts = slices.Clone(d.Attempts)
	return c, true
}

// Accepted counts the message ids that were answered 200.
func (s *Server) Accepted() int {
	n := 0
	for _, d := range s.Ledger() {
		if d.Accepted() {
			n++
		}
	}
	return n
}

// note writes an attempt down.
func (c *courier) note(n Notice, a Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.ledger[n.ID]
	if d == nil {
		d = &Delivery{ID: n.ID, Event: n.Event, Status: n.Status, Key: n.Key}
		c.ledger[n.ID] = d
		c.sent = append(c.sent, n.ID)
	}
	d.Attempts = append(d.Attempts, a)
}
