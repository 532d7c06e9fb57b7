package connectors

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// transports makes the two ways out. Reads keep connections. Every write has a
// fresh one: a kept connection that the vendor has just closed would make the
// write uncertain for nothing, and net/http may repeat a request on such a one.
// Both speak HTTP/1.1 only, where it is known when a request's first byte leaves.
// A RoundTripper that is not net/http's is used as it is; what it does with a
// write is then known less exactly (known is false).
func transports(c *http.Client, inFlight int) (reads, writes http.RoundTripper, known bool) {
	var base *http.Transport
	switch {
	case c == nil || c.Transport == nil:
		base = soundTransport(inFlight)
	default:
		t, ok := c.Transport.(*http.Transport)
		if !ok {
			return c.Transport, c.Transport, false
		}
		base = t
	}
	r, w := onlyHTTP1(base.Clone()), onlyHTTP1(base.Clone())
	w.DisableKeepAlives = true
	guardDials(w)
	return r, w, true
}

func soundTransport(inFlight int) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		MaxIdleConnsPerHost:    inFlight,
		IdleConnTimeout:        45 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func onlyHTTP1(t *http.Transport) *http.Transport {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = nil
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = nil
	}
	return t
}

// guardDials makes every connection of t ask the write guard that it is dialled for.
func guardDials(t *http.Transport) {
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	t.DialContext = guarded(dial)
	if t.DialTLSContext != nil {
		t.DialTLSContext = guarded(t.DialTLSContext)
	}
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func guarded(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		guard, ok := ctx.Value(guardKey{}).(*writeGuard)
		if !ok {
			return conn, nil
		}
		return &guardedConn{Conn: conn, guard: guard}, nil
	}
}
