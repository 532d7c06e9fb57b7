package ingest

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// Why a connection was closed before its request was there.
const (
	boundConnections = "connections" // as many are open as may be
	boundBytes       = "bytes"       // bodies that did not verify yet hold as much as they may
)

// connections bounds what strangers may hold: connections at once, and bytes of bodies
// that did not verify yet. At a bound, the connection that has waited longest for its
// request is closed, and none that is not waiting for its client: if there is no such
// connection, a new one waits.
//
// The descriptor of a connection that is closed here is free at once; net/http leaves it
// a little later. There are no more such connections at a time than live ones may be.
type connections struct {
	most      int
	mostBytes int64
	closed    func(bound string) // a connection was closed at a bound
	unheard   func(evicted bool) // a request ended before a handler had it

	mu      sync.Mutex // the inmost lock
	changed sync.Cond  // somebody may be closed, or has gone
	live    list.List  // of *conn, the longest without an answer first
	bytes   int64      // held by all
	leaving int        // closed here, and not yet left by net/http
	shut    bool       // the listener is closed
	hungry  atomic.Int32
}

func newConnections(most int, mostBytes int64) *connections {
	g := &connections{most: most, mostBytes: mostBytes}
	g.changed.L = &g.mu
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
	l.of.changed.Broadcast()
	return err
}

func (g *connections) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, of: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.shut && (g.leaving >= g.most || g.live.Len() >= g.most) {
		if longest := g.dispensable(); longest != nil && g.leaving < g.most {
			g.evict(longest, boundConnections)
		} else {
			g.wait()
		}
	}
	c.place = g.live.PushBack(c)
	return c
}

// dispensable is the connection to close for a new one: the longest that waits for its
// client to send, and if there is none, the longest whose client may not be taking its
// answers; mu is held.
func (g *connections) dispensable() *conn {
	if c := g.longest((*conn).waits); c != nil {
		return c
	}
	return g.longest((*conn).stuck)
}

// longest is the first connection of which is says yes; mu is held.
func (g *connections) longest(is func(*conn) bool) *conn {
	for place := g.live.Front(); place != nil; place = place.Next() {
		if c := place.Value.(*conn); is(c) {
			return c
		}
	}
	return nil
}

// wait waits for a change; mu is held before and after.
func (g *connections) wait() {
	g.hungry.Add(1)
	defer g.hungry.Add(-1)
	if g.dispensable() == nil || g.leaving >= g.most { // or a change was missed
		g.changed.Wait()
	}
}

// wake tells who waits for a change.
func (g *connections) wake() {
	if g.hungry.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed.Broadcast()
}

// evict closes a live connection. mu is held before and after, and not while the
// connection is closed, which waits until nobody reads from it.
func (g *connections) evict(c *conn, bound string) {
	g.drop(c)
	g.leaving++
	c.evicted = true
	g.mu.Unlock()
	defer g.mu.Lock()
	g.closed(bound)
	_ = c.Conn.Close() // what its client has not sent is of no interest any more
}

// drop takes a connection and its bytes out of the count; mu is held.
func (g *connections) drop(c *conn) {
	g.bytes -= c.bytes
	c.bytes = 0
	if c.place != nil {
		g.live.Remove(c.place)
		c.place = nil
	}
}

// grow has n more bytes counted for the body of c, and makes room for them. It reports
// whether c still lives.
func (g *connections) grow(c *conn, n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c.place != nil && g.bytes+n > g.mostBytes {
		longest := g.longest(func(c *conn) bool { return c.bytes > 0 && c.waits() })
		if longest == nil {
			longest = g.longest(func(c *conn) bool { return c.bytes > 0 && !c.busy })
		}
		if longest == nil { // the others are read and are being verified
			g.hungry.Add(1)
			g.changed.Wait()
			g.hungry.Add(-1)
			continue
		}
		g.evict(longest, boundBytes)
	}
	if c.place == nil {
		return false
	}
	g.bytes += n
	c.bytes += n
	return true
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
			g.live.MoveToBack(c.place)
		}
		c.idle = false
	case http.StateIdle:
		c.asked, c.idle, c.busy = false, true, false
		if c.place != nil {
			g.live.MoveToBack(c.place)
		}
		g.changed.Broadcast()
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
