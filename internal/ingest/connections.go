package ingest

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// Why a connection was closed before its request was there.
const (
	boundConnections = "connections" // as many are open as may be
	boundBytes       = "bytes"       // bodies that did not verify yet hold as much as they may
)

// connections bounds what strangers may hold: connections at once, and bytes of bodies
// that did not verify yet. At a bound, the connection that has waited longest for its
// request is closed. One whose callback verified is left alone until it is answered.
//
// The descriptor of a connection that is closed here is free at once; net/http leaves it
// a little later. There are no more such connections at a time than live ones may be.
type connections struct {
	most      int
	mostBytes int64
	closed    func(bound string) // a connection was closed at a bound
	unheard   func(evicted bool) // a request ended before a handler had it

	mu      sync.Mutex // the inmost lock
	fewer   sync.Cond  // the number of connections, or who may be closed, has changed
	open    int
	leaving int   // of the open ones: closed here, and not yet left by net/http
	bytes   int64 // held by all
	waiting list.List
	shut    bool // the listener is closed
}

// conn is one connection. Its fields belong to connections.mu.
type conn struct {
	net.Conn
	of *connections

	place   *list.Element // among the waiting; nil while it may not be closed, and afterwards
	bytes   int64         // that its body holds
	asked   bool          // a request has begun that no handler has seen
	idle    bool          // kept alive between two requests
	evicted bool
	left    bool
}

func newConnections(most int, mostBytes int64) *connections {
	g := &connections{most: most, mostBytes: mostBytes}
	g.fewer.L = &g.mu
	return g
}

// listener admits connections within the bound.
type listener struct {
	net.Listener
	of *connections
}

// Accept waits for a connection, and then for a place for it.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.of.admit(c), nil
}

// Close ends the wait for a place too.
func (l listener) Close() error {
	err := l.Listener.Close()
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.shut = true
	l.of.fewer.Broadcast()
	return err
}

func (g *connections) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, of: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.shut && (g.leaving >= g.most || g.open-g.leaving >= g.most) {
		if g.leaving < g.most && g.waiting.Len() > 0 {
			g.evict(g.waiting.Front(), boundConnections)
		} else {
			g.fewer.Wait()
		}
	}
	g.open++
	c.place = g.waiting.PushBack(c)
	return c
}

// evict closes a waiting connection. mu is held before and after, and not while the
// connection is closed, which waits until nobody reads from it.
func (g *connections) evict(place *list.Element, bound string) {
	c := place.Value.(*conn)
	g.waiting.Remove(place)
	g.leaving++
	g.bytes -= c.bytes
	c.place, c.bytes, c.evicted = nil, 0, true
	g.mu.Unlock()
	defer g.mu.Lock()
	g.closed(bound)
	_ = c.Conn.Close() // what its client has not sent is of no interest any more
}

// Close is called by net/http when it leaves the connection, perhaps twice.
func (c *conn) Close() error {
	err := c.Conn.Close()
	g := c.of
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.left {
		return err
	}
	c.left = true
	g.open--
	g.bytes -= c.bytes
	c.bytes = 0
	if c.evicted {
		g.leaving--
	}
	if c.place != nil {
		g.waiting.Remove(c.place)
		c.place = nil
	}
	g.fewer.Broadcast()
	return err
}

// grow has n more bytes counted for a body, and makes room for them. It reports whether
// the connection still lives. Outside of a guarded listener nothing is bounded.
func (c *conn) grow(n int64) bool {
	if c == nil {
		return true
	}
	g := c.of
	g.mu.Lock()
	defer g.mu.Unlock()
	for !c.evicted && g.bytes+n > g.mostBytes {
		longest := g.waiting.Front()
		for longest != nil && longest.Value.(*conn).bytes == 0 {
			longest = longest.Next()
		}
		if longest == nil { // one body alone is over the bound, or its connection has ended
			return false
		}
		g.evict(longest, boundBytes)
	}
	if c.evicted {
		return false
	}
	g.bytes += n
	c.bytes += n
	return true
}

// done gives back the bytes of a body that was read and found wanting.
func (c *conn) done() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.bytes -= c.bytes
	c.bytes = 0
}

// keep leaves a connection whose callback verified alone until its next request. It
// reports false if it was closed before.
func (c *conn) keep() bool {
	if c == nil {
		return true
	}
	g := c.of
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.place != nil {
		g.waiting.Remove(c.place)
		c.place = nil
	}
	return !c.evicted
}

// heard notes that a handler has the request.
func (c *conn) heard() {
	if c == nil {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.asked = false
}

func (c *conn) wasEvicted() bool {
	if c == nil {
		return false
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	return c.evicted
}

// state is told by net/http: active once a request's head was read or has failed, idle
// once its answer is sent.
func (g *connections) state(raw net.Conn, state http.ConnState) {
	c, ok := raw.(*conn)
	if !ok {
		return
	}
	g.mu.Lock()
	unheard, evicted := false, c.evicted
	switch state {
	case http.StateActive:
		c.asked = true
		if c.idle && c.place != nil {
			g.waiting.MoveToBack(c.place)
		}
		c.idle = false
	case http.StateIdle:
		c.asked, c.idle = false, true
		if c.place == nil && !c.evicted && !c.left {
			c.place = g.waiting.PushBack(c)
			g.fewer.Broadcast()
		} else if c.place != nil {
			g.waiting.MoveToBack(c.place)
		}
	case http.StateClosed:
		unheard = c.asked
		c.asked = false
	case http.StateNew, http.StateHijacked:
	}
	g.mu.Unlock()
	if unheard {
		g.unheard(evicted)
	}
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
