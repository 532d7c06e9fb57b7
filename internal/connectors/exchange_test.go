package connectors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/connectortest"
)

// post is a write's request, with a GetBody that must never be used.
func post(url string) func(context.Context) (*http.Request, error) {
	return func(ctx context.Context) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(`{"id":"1"}`)))
	}
}

// counting is a server that counts connections and requests.
func counting(t *testing.T, handle http.HandlerFunc) (url string, conns, requests *atomic.Int64) {
	t.Helper()
	conns, requests = new(atomic.Int64), new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handle(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, conns, requests
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

// TestWritesUseFreshConnections: reads keep their connection, a write never takes
// a kept one, so none can be lost on it or be repeated by net/http.
func TestWritesUseFreshConnections(t *testing.T) {
	url, conns, requests := counting(t, fine)
	l := newAccount(t, AccountOptions{Vendor: "v"})
	defer l.Close()
	read := func(ctx context.Context) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	}
	for range 3 {
		if _, err := l.Do(t.Context(), Call{API: "r", Request: read}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, err := l.Do(t.Context(), Call{API: "w", Request: post(url), Write: true}); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 4 || requests.Load() != 6 {
		t.Errorf("%d connections for %d requests, want 4 for 6", conns.Load(), requests.Load())
	}
}

// TestWriteIsNeverRepeated: the server takes a write and closes the connection,
// whether it was kept open before or not. The write arrives once, and is uncertain.
// A transport that is not ours cannot be given fresh connections: there it is the
// missing GetBody that keeps net/http from sending it again.
func TestWriteIsNeverRepeated(t *testing.T) {
	for _, tc := range []struct {
		name string
		http func() *http.Client
	}{
		{"own transport", func() *http.Client { return nil }},
		{"a transport of net/http", func() *http.Client { return &http.Client{Transport: &http.Transport{}} }},
		{"a foreign transport that keeps connections", func() *http.Client {
			return client((&http.Transport{}).RoundTrip)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var writes atomic.Int64
			url, _, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					fine(w, r)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				writes.Add(1)
				panic(http.ErrAbortHandler)
			})
			l := newAccount(t, AccountOptions{Vendor: "v", HTTP: tc.http()})
			warm := func(ctx context.Context) (*http.Request, error) {
				return http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
			}
			if _, err := l.Do(t.Context(), Call{API: "x", Request: warm}); err != nil {
				t.Fatal(err)
			}
			// Idempotency-Key makes net/http take a POST for one that may be repeated.
			request := func(ctx context.Context) (*http.Request, error) {
				r, err := post(url)(ctx)
				r.Header.Set("Idempotency-Key", "k")
				return r, err
			}
			_, err := l.Do(t.Context(), Call{API: "x", Request: request, Write: true})
			if events.KindOf(err) != events.Uncertain || writes.Load() != 1 {
				t.Errorf("%d writes arrived, and the call is %v", writes.Load(), err)
			}
		})
	}
}

// TestIdleConnectionClosed: the server closes a kept connection while nobody looks.
// The next write does not notice.
func TestIdleConnectionClosed(t *testing.T) {
	var idle atomic.Pointer[net.Conn]
	var writes atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			writes.Add(1)
		}
		fine(w, r)
	}))
	wentIdle := make(chan struct{}, 8)
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			idle.Store(&c)
			wentIdle <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	l := newAccount(t, AccountOptions{Vendor: "v"})
	for range 20 {
		warm := func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
		}
		if _, err := l.Do(t.Context(), Call{API: "x", Request: warm}); err != nil {
			t.Fatal(err)
		}
		<-wentIdle
		if err := (*idle.Load()).Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Do(t.Context(), Call{API: "x", Request: post(s.URL), Write: true}); err != nil {
			t.Fatal(err)
		}
	}
	if writes.Load() != 20 {
		t.Errorf("%d writes arrived, want 20", writes.Load())
	}
}

// TestBeforeTheFirstByte: Before is asked before the call and again on the
// connection; refused there, not a byte of the request reaches the vendor, over
// TLS either, and nothing is uncertain.
func TestBeforeTheFirstByte(t *testing.T) {
	for _, tc := range []struct {
		name  string
		start func(*httptest.Server)
	}{
		{"plain", (*httptest.Server).Start},
		{"TLS, with a server that offers HTTP/2", func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }},
	} {
		for refuseAt := int64(1); refuseAt <= 3; refuseAt++ {
			t.Run(tc.name, func(t *testing.T) {
				var requests, asked atomic.Int64
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					if r.ProtoMajor != 1 {
						t.Errorf("a write over %s", r.Proto)
					}
					fine(w, r)
				}))
				s.Config.ErrorLog = log.New(io.Discard, "", 0)
				tc.start(s)
				defer s.Close()
				lost := errors.New("the lease is lost")
				l := newAccount(t, AccountOptions{Vendor: "v", HTTP: s.Client(), Before: func(context.Context) error {
					if asked.Add(1) == refuseAt {
						return lost
					}
					return nil
				}})
				_, err := l.Do(t.Context(), Call{API: "x", Request: post(s.URL), Write: true})
				wantRequests, wantKind := int64(0), events.Interrupted
				if refuseAt == 3 { // nobody asks a third time
					wantRequests, wantKind = 1, ""
				}
				if requests.Load() != wantRequests || events.KindOf(err) != wantKind {
					t.Errorf("refused at %d: %d requests arrived, and the call is %v", refuseAt, requests.Load(), err)
				}
				if wantKind != "" && !errors.Is(err, lost) {
					t.Errorf("the cause is gone: %v", err)
				}
			})
		}
	}
}

// TestNothingRan: a write that never got a connection can be made again.
func TestNothingRan(t *testing.T) {
	dead := httptest.NewServer(http.HandlerFunc(fine))
	dead.Close()
	tls := httptest.NewUnstartedServer(http.HandlerFunc(fine))
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	mute, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	for _, tc := range []struct{ name, url, reason string }{
		{"refused", dead.URL, "no connection: connection refused"},
		{"certificate", tls.URL, "the host's certificate is not trusted"},
		{"name", "http://no-such-host.invalid/", "the host's name could not be resolved"},
		{"TLS with a mute server", "https://" + mute.Addr().String(), "no answer in time"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newAccount(t, AccountOptions{Vendor: "v", Timeout: 2 * time.Second})
			_, err := l.Do(t.Context(), Call{API: "x", Request: post(tc.url + "?access_token=sesame"), Write: true})
			f := events.FailureOf(err)
			if f == nil || f.Kind != events.Unavailable || f.Reason != tc.reason {
				t.Errorf("got %+v", f)
			}
			connectortest.NoSecret(t, err, "sesame")
		})
	}
}

// TestGivenUpBeforeTheFirstByte: a guard that is closed lets no byte out, however
// late the writing goroutine comes.
func TestGivenUpBeforeTheFirstByte(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	guard := &writeGuard{exact: true, before: func() error { return nil }}
	conn := &guardedConn{Conn: here, guard: guard}
	guard.connect()
	if sent, refused := guard.close(errTimeout); sent || refused != nil {
		t.Fatalf("sent %v, refused %v", sent, refused)
	}
	if n, err := conn.Write([]byte("POST")); n != 0 || !errors.Is(err, errGivenUp) {
		t.Errorf("wrote %d bytes after it was closed: %v", n, err)
	}
}

// TestRedirectIsNotFollowed: it is an answer like any other.
func TestRedirectIsNotFollowed(t *testing.T) {
	url, _, requests := counting(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	l := newAccount(t, AccountOptions{Vendor: "v"})
	a, err := l.Do(t.Context(), Call{API: "x", Request: post(url), Write: true, Classify: func(Answer) *events.Failure { return nil }})
	if err != nil || a.Status != http.StatusTemporaryRedirect || requests.Load() != 1 {
		t.Errorf("status %d after %d requests: %v", a.Status, requests.Load(), err)
	}
}

// TestFaults is the suite of all clients, with judgement by status and a body that
// must be one JSON object.
func TestFaults(t *testing.T) {
	for _, write := range []bool{false, true} {
		connectortest.Run(t, write, []string{"sesame"}, func(t *testing.T, serve http.HandlerFunc) func(context.Context) error {
			url, _, _ := counting(t, serve)
			l := newAccount(t, AccountOptions{Vendor: "v"})
			t.Cleanup(l.Close)
			c := Call{API: "x", Request: post(url + "/p?access_token=sesame"), Write: write}
			c.Classify = func(a Answer) *events.Failure {
				if f := byStatus(c, a); f != nil && a.Status >= 400 {
					return f
				}
				if strings.HasSuffix(string(a.Body), `"data":[]}`) {
					return nil
				}
				f := &events.Failure{Kind: events.Unavailable, Reason: "not understood"}
				if write {
					f.Kind = events.Uncertain
				}
				return f
			}
			return func(ctx context.Context) error {
				_, err := l.Do(ctx, c)
				return err
			}
		})
	}
}
