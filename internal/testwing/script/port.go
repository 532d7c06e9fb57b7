package script

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// InMemory, as the address of [Port.Open], opens the port for [Memory] alone,
// without a socket.
const InMemory = "memory"

// Port is a loopback address that a simulator listens on, and that can be
// closed and opened again, so that connections are refused. The zero Port has
// never been open. Safe for concurrent use.
type Port struct {
	mu     sync.Mutex
	addr   string
	open   bool
	server *http.Server
	forget func() bool   // takes back the closing at the end of Open's context
	inside int           // requests being handled
	idle   chan struct{} // closed when inside falls to 0; nil if no Close waits
}

// Open listens on addr: "" is the address used before, or any free port of
// 127.0.0.1; anything but loopback is refused. The port closes when ctx ends.
// Opening an open port is an error.
func (p *Port) Open(ctx context.Context, addr string, h http.Handler) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		return fmt.Errorf("open port %s: it is open", p.addr)
	}
	if addr == "" {
		addr = p.addr
	}
	if addr == InMemory {
		p.addr, p.open, p.server = addr, true, nil
		return nil
	}
	l, err := listenAt(ctx, addr)
	if err != nil {
		return fmt.Errorf("open port %s: %w", addr, err)
	}
	server := &http.Server{Handler: p.counted(h), ReadHeaderTimeout: time.Minute}
	p.addr, p.open, p.server = l.Addr().String(), true, server
	go func() { _ = server.Serve(l) }() // ends with ErrServerClosed, nothing else can be done about it
	p.forget = context.AfterFunc(ctx, func() { p.close(server) })
	return nil
}

func listenAt(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return listen(ctx)
	}
	if err := loopback(addr); err != nil {
		return nil, err
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("a simulated vendor listens on loopback only")
	}
	return nil
}

func (p *Port) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		if !p.open {
			p.mu.Unlock()
			CutOff(w)
			return
		}
		p.inside++
		p.mu.Unlock()
		defer p.left()
		h.ServeHTTP(w, r)
	})
}

func (p *Port) left() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inside--
	if p.inside == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// close closes the port if server still serves it.
func (p *Port) close(server *http.Server) {
	p.mu.Lock()
	if p.server != server {
		p.mu.Unlock()
		return
	}
	forget := p.forget
	p.open, p.server = false, nil
	p.mu.Unlock()
	if server != nil {
		forget()
		_ = server.Close() // listener and connections are closed even on an error
	}
}

// Close refuses callers from now on, drops every connection at once and waits,
// until ctx ends, for the requests inside to be over. Closing a closed port
// does nothing.
func (p *Port) Close(ctx context.Context) error {
	p.mu.Lock()
	server := p.server
	p.mu.Unlock()
	p.close(server)
	gone := p.empty()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close port %s: requests are still inside: %w", p.URL(), ctx.Err())
	}
}

// empty is closed once no request is inside.
func (p *Port) empty() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inside == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	return p.idle
}

// IsOpen says whether callers are let in.
func (p *Port) IsOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// URL is the base address without a closing slash; it stays while the port is
// closed, and is "" if it never was open.
func (p *Port) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addr == "" {
		return ""
	}
	return "http://" + p.addr
}
