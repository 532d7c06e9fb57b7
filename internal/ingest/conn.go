package ingest

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// conn is one connection. Its methods may be called on nil, for a request that came by
// no guarded listener: then nothing is bounded.
type conn struct {
	net.Conn
	of *connections

	blocked atomic.Bool // net/http reads from it, and has nothing yet
	writing atomic.Bool // net/http writes to it, and the client may not be taking it

	// These belong to connections.mu.
	place   *list.Element // among the live ones; nil once it is closed
	bytes   int64         // that its body holds
	busy    bool          // all of its request is there, and its answer is not sent yet
	asked   bool          // a request has begun that no handler has seen
	idle    bool          // kept alive between two requests
	evicted bool
	left    bool
}

// Read notes that bytes are waited for.
func (c *conn) Read(b []byte) (int, error) {
	c.blocked.Store(true)
	c.of.wake()
	defer c.blocked.Store(false)
	return c.Conn.Read(b)
}

// Write notes that a client may have to be waited for that takes no answers.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Store(true)
	c.of.wake()
	defer c.writing.Store(false)
	return c.Conn.Write(b)
}

// CloseWrite is what net/http ends an answer with whose request it did not read.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close is called by net/http when it leaves the connection, perhaps twice.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.left {
		return err
	}
	c.left = true
	c.of.drop(c)
	if c.evicted {
		c.of.leaving--
	}
	c.of.changed.Broadcast()
	return err
}

// waits reports that the connection waits for its client and for nothing of ours; mu is
// held.
func (c *conn) waits() bool { return !c.busy && c.blocked.Load() && !unread(c.Conn) }

// stuck reports that an answer is on its way, for a moment or, if the client does not
// take it, for long; mu is held.
func (c *conn) stuck() bool { return c.writing.Load() }

// grow counts n more bytes of a body and reports whether the connection still lives.
func (c *conn) grow(n int64) bool { return c == nil || c.of.grow(c, n) }

// heard notes that a handler has the head of a request, and all of it where there is no
// body.
func (c *conn) heard(bodiless bool) { c.set(func() { c.asked, c.busy = false, bodiless }) }

// read notes that the body is there.
func (c *conn) read() { c.set(func() { c.busy = true }) }

// done gives back the bytes of a body: it has become a callback, or was refused.
func (c *conn) done() {
	c.set(func() {
		c.of.bytes -= c.bytes
		c.bytes = 0
	})
}

func (c *conn) set(change func()) {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	change()
	c.of.changed.Broadcast()
}

// wasEvicted reports whether the connection was closed at a bound.
func (c *conn) wasEvicted() (evicted bool) {
	c.set(func() { evicted = c.evicted })
	return evicted
}

type connKey struct{}

// connOf is the connection that a request came on, nil outside of a guarded listener.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// Guard makes srv serve this endpoint on ln within its bounds of connections and bytes,
// and gives the listener that srv is to serve. It is called once.
func (e *Endpoint) Guard(srv *http.Server, ln net.Listener) net.Listener {
	srv.Handler = e
	srv.DisableGeneralOptionsHandler = true // `OPTIONS *` is refused as anything else
	srv.ConnState = e.conns.state
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	return listener{ln, e.conns}
}
