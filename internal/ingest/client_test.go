package ingest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/ingest"
)

// patience ends a test that hangs; no test waits for it.
const patience = 20 * time.Second

// guarded serves the endpoint within its bounds, and gives its address.
func guarded(tb testing.TB, e *ingest.Endpoint) string {
	tb.Helper()
	ln, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return guardedOn(tb, e, ln)
}

func guardedOn(tb testing.TB, e *ingest.Endpoint, ln net.Listener) string {
	tb.Helper()
	srv := &http.Server{ReadHeaderTimeout: patience, IdleTimeout: patience}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(e.Guard(srv, ln)) }()
	tb.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			tb.Error(err)
		}
	})
	return ln.Addr().String()
}

// client is a connection whose bytes a test writes by hand.
type client struct {
	net.Conn
	tb testing.TB
	in *bufio.Reader
}

func dial(tb testing.TB, at string) *client {
	tb.Helper()
	c, err := new(net.Dialer).DialContext(context.Background(), "tcp", at)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return &client{c, tb, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.tb.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.tb.Fatal(err)
	}
}

// begin sends the head of a callback whose body is to have that length, and waits until
// the endpoint asks for the body.
func (c *client) begin(query string, length int) {
	c.tb.Helper()
	c.send(fmt.Sprintf("POST /weiban/acme?%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", query, length))
	if line, err := c.in.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		c.tb.Fatalf("asked for the body with %q: %v", line, err)
	}
	if _, err := c.in.ReadString('\n'); err != nil {
		c.tb.Fatal(err)
	}
}

// status reads an answer, of which the connection may be used again.
func (c *client) status() int {
	c.tb.Helper()
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		c.tb.Fatal(err)
	}
	return answer.StatusCode
}

// closed waits until the endpoint has closed the connection.
func (c *client) closed() {
	c.tb.Helper()
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		c.tb.Errorf("the connection was not closed: %v", err)
	}
}
