package ingest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"gongdan-bridge/internal/bus"
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

// evictions counts gongdan.ingest.evictions by bound.
func evictions(tb testing.TB, r sdk.Reader) map[string]int64 {
	tb.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &all); err != nil {
		tb.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "gongdan.ingest.evictions" {
				for _, p := range sum.DataPoints {
					bound, _ := p.Attributes.Value("bound")
					counts[bound.AsString()] += p.Value
				}
			}
		}
	}
	return counts
}

// Bodies that never come take no place among the callbacks in flight, and at the bound of
// connections they make room for those that come later.
func TestIdleBodiesRefuseNoCallback(t *testing.T) {
	reader := sdk.NewManualReader()
	at := guarded(t, endpoint(t, &shelf{}, io.Discard, func(o *ingest.Options) {
		o.MaxConnections, o.MaxInFlight, o.ReadTimeout = 8, 2, patience
		o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader))
	}))
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	for range 20 {
		for range 3 {
			c := dial(t, at)
			c.begin(query, len(body))
			c.send("{")
		}
		c := dial(t, at)
		c.begin(query, len(body))
		c.send(body)
		if status := c.status(); status != http.StatusOK {
			t.Fatalf("a callback beside idle bodies: %d", status)
		}
	}
	if n := evictions(t, reader); n["connections"] != 72 || n["bytes"] != 0 {
		t.Errorf("evictions: %v, want 72 of 80 connections", n)
	}
}

// At the bound the longest wait ends, whatever is waited for; a request that is answered
// begins a new wait.
func TestLongestWaitIsClosed(t *testing.T) {
	at := guarded(t, endpoint(t, &shelf{}, io.Discard, func(o *ingest.Options) { o.MaxConnections, o.ReadTimeout = 4, patience }))
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	nothing, kept, head := dial(t, at), dial(t, at), dial(t, at)
	half := dial(t, at)
	kept.begin(query, len(body))
	head.send("POST /weiban/acme")
	half.begin(query, len(body))
	half.send(body[:9])
	dial(t, at).begin(query, len(body))
	nothing.closed()
	kept.send(body)
	if status := kept.status(); status != http.StatusOK {
		t.Errorf("a callback that had waited: %d", status)
	}
	kept.begin(query, len(body)) // once this is read, kept waits anew
	dial(t, at).begin(query, len(body))
	head.closed()
	dial(t, at).begin(query, len(body))
	half.closed()
	kept.send(body)
	if status := kept.status(); status != http.StatusOK {
		t.Errorf("a connection that was used again: %d", status)
	}
}

// The bodies of strangers hold no more than the bound, however many connections there
// are, and a large callback still comes through.
func TestBodiesAreBounded(t *testing.T) {
	reader := sdk.NewManualReader()
	at := guarded(t, endpoint(t, &shelf{}, io.Discard, func(o *ingest.Options) {
		o.MaxBody, o.MaxReading, o.ReadTimeout = 64<<10, 256<<10, patience
		o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader))
	}))
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	held := make([]*client, 5)
	for i := range held {
		held[i] = dial(t, at)
		held[i].begin(query, 60<<10)
	}
	for _, c := range held {
		c.send(strings.Repeat("A", 40<<10))
	}
	held[0].closed()
	large := dial(t, at)
	large.begin(query, len(body)+40<<10)
	large.send(body + strings.Repeat(" ", 40<<10))
	if status := large.status(); status != http.StatusOK {
		t.Errorf("a large callback: %d", status)
	}
	if n := evictions(t, reader); n["bytes"] == 0 || n["connections"] != 0 {
		t.Errorf("evictions: %v", n)
	}
}

// A callback that verified is not closed while it is stored.
func TestVerifiedCallbackIsNotClosed(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	at := guarded(t, endpoint(t, blocking{held, hold}, io.Discard, func(o *ingest.Options) { o.MaxConnections = 4 }))
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	ours := dial(t, at)
	ours.begin(query, len(body))
	ours.send(body)
	<-held
	for range 12 {
		dial(t, at).begin(query, len(body))
	}
	close(hold)
	if status := ours.status(); status != http.StatusOK {
		t.Errorf("the callback that was being stored: %d", status)
	}
}

// lines is a log of which a test takes one line after the other.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// What net/http refuses before the endpoint sees it leaves a trace too.
func TestRequestsThatNeverBecomeOneAreCounted(t *testing.T) {
	log, reader := make(lines, 16), sdk.NewManualReader()
	at := guarded(t, endpoint(t, broken{bus.ErrFull}, log, func(o *ingest.Options) {
		o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader))
	}))
	if err := dial(t, at).Close(); err != nil { // a look whether the port is open is no request
		t.Fatal(err)
	}
	for _, text := range []string{
		"HELLO\r\n\r\n", "POST /weiban/acme HTTP/1.1\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /weiban/acme HTTP/1.1\r\nHost: x\r\nExpect: the best\r\nContent-Length: 1\r\n\r\n",
		"GET /?" + strings.Repeat("a", 2<<20),
	} {
		c := dial(t, at)
		_, _ = io.WriteString(c, text) // cut short where it is too long
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		if line := <-log; !strings.Contains(line, `"result":"head"`) || strings.Contains(line, "aaa") {
			t.Errorf("%.40q: logged %s", text, line)
		}
	}
	c := dial(t, at)
	c.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
	if status, line := c.status(), <-log; status != http.StatusNotFound || !strings.Contains(line, `"result":"path"`) {
		t.Errorf("OPTIONS *: %d, logged %s", status, line)
	}
	if n := results(t, reader); n["head"] != 5 || n["path"] != 1 {
		t.Errorf("counted %v", n)
	}
}

// With few descriptors there are fewer connections, and callbacks in flight, than
// configured, and the log says so.
func TestFewDescriptors(t *testing.T) {
	for descriptors, want := range map[uint64][2]int{0: {}, 1 << 20: {}, 2080: {}, 2078: {1023, 511}, 1024: {496, 248}, 256: {112, 56}, 64: {16, 8}, 20: {4, 2}} {
		var log bytes.Buffer
		endpoint(t, &shelf{}, &log, func(o *ingest.Options) { o.Descriptors = descriptors })
		var line struct {
			Connections int
			InFlight    int `json:"in_flight"`
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil && log.Len() > 0 {
			t.Fatal(err)
		}
		if got := [2]int{line.Connections, line.InFlight}; got != want {
			t.Errorf("%d descriptors: connections and callbacks in flight %v, want %v", descriptors, got, want)
		}
	}
}
