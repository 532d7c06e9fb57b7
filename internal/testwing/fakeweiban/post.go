package fakeweiban

import (
	"context"
	"fmt"
)

// Post puts callbacks into the queue and returns at once; up to
// [Callback].Senders of them are under way at a time. When ctx ends, those that
// still wait are dropped, and the ledger does not know them. What became of the
// others stands in [Server.Ledger].
func (s *Server) Post(ctx context.Context, notices ...Notice) {
	c := s.courier
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range notices {
		c.queue = append(c.queue, queued{ctx, n})
		if c.active < s.o.Callback.Senders {
			c.active++
			go s.sender()
		}
	}
}

// sender posts the queued callbacks until the queue is empty.
func (s *Server) sender() {
	for {
		q, ok := s.courier.next()
		if !ok {
			return
		}
		if q.ctx.Err() == nil {
			_, _ = s.Send(q.ctx, q.notice) // the ledger has it
		}
	}
}

// next takes the oldest of the queue, or ends a sender.
func (c *courier) next() (queued, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 {
		q := c.queue[0]
		c.queue = c.queue[1:]
		return q, true
	}
	c.active--
	if c.active == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	return queued{}, false
}

// Drain waits until everything posted is answered or given up.
func (s *Server) Drain(ctx context.Context) error {
	select {
	case <-s.courier.done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain callbacks: %w", ctx.Err())
	}
}

func (c *courier) done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	return c.idle
}
