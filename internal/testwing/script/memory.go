package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"syscall"
)

// Memory carries requests to a handler of this process without a socket, with
// the same ways to fail: a closed port refuses the dial, a cut is a reset, a
// torn answer ends too early, and a caller that gives up ends the handler's
// context. It is for tests on a fake clock, which sockets would hold up.
type Memory struct {
	Handler http.Handler
	Port    *Port // open or refused; nil is always open
}

// RoundTrip carries one request. It calls the hooks of an httptrace.ClientTrace
// as a connection would.
func (m Memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.Port != nil && !m.Port.IsOpen() {
		closeBody(r)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connect: %w", syscall.ECONNREFUSED)}
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	in := r.Clone(ctx)
	in.Body, in.ContentLength, in.RequestURI = io.NopCloser(bytes.NewReader(body)), int64(len(body)), r.URL.RequestURI()
	in.RemoteAddr, in.Host, in.Header = InMemory, r.URL.Host, arrived(r.Header)
	out := &memoryWriter{header: http.Header{}}
	written(r.Context(), out)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel(nil)
		defer out.caught()
		m.Handler.ServeHTTP(out, in)
	}()
	select {
	case <-done:
		return out.response(r)
	case <-r.Context().Done():
		cancel(r.Context().Err())
		return nil, r.Context().Err()
	}
}

// arrived returns the headers under the canonical names that a server reads.
func arrived(sent http.Header) http.Header {
	h := make(http.Header, len(sent))
	for name, values := range sent {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}

// written tells the caller's trace that the whole request is on its way.
func written(ctx context.Context, out *memoryWriter) {
	t := httptrace.ContextClientTrace(ctx)
	if t == nil {
		return
	}
	if t.GotConn != nil {
		t.GotConn(httptrace.GotConnInfo{})
	}
	if t.WroteHeaders != nil {
		t.WroteHeaders()
	}
	if t.WroteRequest != nil {
		t.WroteRequest(httptrace.WroteRequestInfo{})
	}
	out.first = t.GotFirstResponseByte
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer closeBody(r)
	return io.ReadAll(r.Body)
}

// memoryWriter collects an answer.
type memoryWriter struct {
	mu      sync.Mutex
	header  http.Header
	status  int
	body    bytes.Buffer
	severed bool
	first   func()
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == 0 {
		w.status = status
	}
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.severed {
		return 0, net.ErrClosed
	}
	return w.body.Write(b)
}

// FlushError lets a response controller flush; there is nothing to flush.
func (w *memoryWriter) FlushError() error { return nil }

func (w *memoryWriter) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.severed = true
}

// caught turns the abort panic of a handler into a cut, as a server does.
func (w *memoryWriter) caught() {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	w.sever()
}

func (w *memoryWriter) response(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.severed && w.status == 0 {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: fmt.Errorf("read: %w", syscall.ECONNRESET)}
	}
	if w.first != nil {
		w.first()
	}
	status := or(w.status, 200)
	var body io.Reader = bytes.NewReader(w.body.Bytes())
	if w.severed {
		body = io.MultiReader(body, torn{})
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}

// torn is the end of a body that was promised longer.
type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
