package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ingest"
)

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
	kept.begin(query, len(body)) // once this is read, kept waits again
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
	given := make(chan struct{}, len(held))
	for _, c := range held {
		c.send(strings.Repeat("A", 40<<10))
		go func() {
			_, _ = c.in.ReadByte() // ends when one of them is given up, and at the end
			given <- struct{}{}
		}()
	}
	<-given
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

// narrow is a listener whose connections hold few answers that nobody takes.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return c, c.(*net.TCPConn).SetWriteBuffer(1)
}

// Clients that send requests and take no answer are closed at the bound as well.
func TestClientsThatTakeNoAnswerMakeRoom(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := guardedOn(t, endpoint(t, &shelf{}, io.Discard, func(o *ingest.Options) { o.MaxConnections = 4 }), narrow{ln})
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	var full sync.WaitGroup
	many := strings.Repeat("GET /weiban/acme HTTP/1.1\r\nHost: x\r\n\r\n", 100)
	for range 4 {
		c := dial(t, at)
		if err := c.Conn.(*net.TCPConn).SetReadBuffer(1); err != nil {
			t.Fatal(err)
		}
		full.Go(func() {
			var err error
			for err == nil { // until the endpoint takes no more of it
				_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				_, err = io.WriteString(c, many)
			}
		})
	}
	full.Wait()
	for range 8 { // more than there are places
		c := dial(t, at)
		c.begin(query, len(body))
		c.send(body)
		if status := c.status(); status != http.StatusOK {
			t.Errorf("a callback: %d", status)
		}
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
