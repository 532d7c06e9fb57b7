package ingest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	mnoop "go.opentelemetry.io/otel/metric/noop"
	tnoop "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/connectortest"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/schemas"
)

const corp = "1704174310933890049"

var key = weiban.Key{Token: "tokentokentoken", EncodingAESKey: strings.Repeat("abcdefghijk", 4)[:43]}

func endpoint(tb testing.TB, p ingest.Publisher, log io.Writer, change func(*ingest.Options)) *ingest.Endpoint {
	tb.Helper()
	c, err := weiban.NewCodec([]weiban.Key{key}, []string{corp})
	if err != nil {
		tb.Fatal(err)
	}
	set, err := schemas.Load()
	if err != nil {
		tb.Fatal(err)
	}
	o := ingest.Options{
		Tenants: []ingest.Tenant{{Name: "acme", CorpID: corp, Codec: c}}, Bus: p, Events: events.NewCodec(set),
		MaxBody: 8 << 10, MaxInFlight: 512, ReadTimeout: 300 * time.Millisecond, PublishTimeout: 4 * time.Second,
		MaxConnections: 1024, MaxReading: 64 << 20, RetryAfter: 5 * time.Second, MaxFuture: events.MaxFuture,
		Logger: slog.New(slog.NewJSONHandler(log, nil)), Tracer: tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
	}
	if change != nil {
		change(&o)
	}
	e, err := ingest.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// sealed is what Weiban sends for text: base64 and its signature.
func sealed(tb testing.TB, k weiban.Key, receiver, text, timestamp, nonce string) (encrypt, signature string) {
	tb.Helper()
	e, err := fakeweiban.NewEnvelope(k.Token, k.EncodingAESKey, receiver)
	if err != nil {
		tb.Fatal(err)
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		tb.Fatal(err)
	}
	if encrypt, err = e.Seal([]byte(text), random); err != nil {
		tb.Fatal(err)
	}
	return encrypt, e.Sign(timestamp, nonce, encrypt)
}

// signed is the query and the body of a callback that carries text.
func signed(tb testing.TB, k weiban.Key, receiver, text string) (string, string) {
	tb.Helper()
	encrypt, signature := sealed(tb, k, receiver, text, "1640244967", "77")
	q := url.Values{"msg_signature": {signature}, "timestamp": {"1640244967"}, "nonce": {"77"}}
	return q.Encode(), fmt.Sprintf(`{"corp_id":"x","app_id":"app-1","encrypt":%q}`, encrypt)
}

// resign is a rightly signed request whose ciphertext is what is given.
func resign(tb testing.TB, cipher string) (string, string) {
	tb.Helper()
	q := url.Values{"msg_signature": {fakeweiban.Envelope{Token: key.Token}.Sign("1640244967", "77", cipher)}, "timestamp": {"1640244967"}, "nonce": {"77"}}
	return q.Encode(), fmt.Sprintf(`{"encrypt":%q}`, cipher)
}

func notice(id, status, order string) string {
	return fmt.Sprintf(`{"id":%q,"corp_id":%q,"create_time":1640244967.924,"type":"event","event":"work_order_change","status":%q,"msg_data":{"order_no":%q,"staff_id":"LiYang"}}`, id, corp, status, order)
}

func post(tb testing.TB, h http.Handler, path, query, body string) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path+"?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	h.ServeHTTP(w, r)
	return w
}

func TestBadInput(t *testing.T) {
	b := bustest.New(t)
	var log bytes.Buffer
	e := endpoint(t, b, &log, nil)
	okQuery, okBody := signed(t, key, corp, notice("secret-1", "create", "1446377590381088768"))
	other := weiban.Key{Token: "other", EncodingAESKey: strings.Repeat("zyxwvutsrqp", 4)[:43]}
	otherQuery, otherBody := signed(t, other, corp, notice("secret-2", "create", "1"))
	receiverQuery, receiverBody := signed(t, key, "1", notice("secret-3", "create", "1"))
	without := func(name string) string {
		q, err := url.ParseQuery(okQuery)
		if err != nil {
			t.Fatal(err)
		}
		q.Del(name)
		return q.Encode()
	}
	paddingQuery, paddingBody := resign(t, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 64)))
	textQuery, textBody := resign(t, "not base64 at all!")
	oddQuery, oddBody := resign(t, base64.StdEncoding.EncodeToString(make([]byte, 33)))
	tests := []struct {
		name, path, query, body string
		status                  int
		result                  string
	}{
		{"signature", "/weiban/acme", strings.Replace(okQuery, "msg_signature=", "msg_signature=0", 1), okBody, 403, "signature"},
		{"key", "/weiban/acme", otherQuery, otherBody, 403, "signature"},
		{"receiver", "/weiban/acme", receiverQuery, receiverBody, 403, "receiver"},
		{"padding", "/weiban/acme", paddingQuery, paddingBody, 403, "padding"},
		{"no signature", "/weiban/acme", without("msg_signature"), okBody, 400, "missing-parameter"},
		{"no timestamp", "/weiban/acme", without("timestamp"), okBody, 400, "missing-parameter"},
		{"no nonce", "/weiban/acme", without("nonce"), okBody, 400, "missing-parameter"},
		{"query", "/weiban/acme", "nonce=%zz", okBody, 400, "query"},
		{"not base64", "/weiban/acme", textQuery, textBody, 400, "base64"},
		{"odd length", "/weiban/acme", oddQuery, oddBody, 400, "length"},
		{"empty body", "/weiban/acme", okQuery, "", 400, "body"},
		{"no encrypt", "/weiban/acme", okQuery, `{}`, 400, "missing-encrypt"},
		{"duplicate keys", "/weiban/acme", okQuery, `{"encrypt":"a","encrypt":"b"}`, 400, "body"},
		{"deep nest", "/weiban/acme", okQuery, strings.Repeat("[", 4000), 400, "body"},
		{"too large", "/weiban/acme", okQuery, `{"encrypt":"` + strings.Repeat("A", 8<<10) + `"}`, 413, "size"},
		{"tenant", "/weiban/nobody", okQuery, okBody, 403, "tenant"},
		{"path", "/callback", okQuery, okBody, 404, "path"},
		{"path in the tenant", "/weiban/acme/x", okQuery, okBody, 404, "path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			w := post(t, e, tt.path, tt.query, tt.body)
			var reply struct {
				Code    *int    `json:"errcode"`
				Message *string `json:"errmsg"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || reply.Code == nil || *reply.Code == 0 || reply.Message == nil {
				t.Errorf("body %q is not an error reply", w.Body)
			}
			var line struct{ Result, Receiver string }
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("want one log line, got %q: %v", log.String(), err)
			}
			if w.Code != tt.status || line.Result != tt.result {
				t.Errorf("got %d %q, want %d %q", w.Code, line.Result, tt.status, tt.result)
			}
			if want := map[string]string{"receiver": "1"}[tt.name]; line.Receiver != want {
				t.Errorf("the log line names the receiver %q, want %q", line.Receiver, want)
			}
			if strings.Contains(log.String(), "secret-") || strings.Contains(log.String(), key.Token) {
				t.Errorf("the log line holds what was sent: %s", log.String())
			}
		})
	}
	refusals := map[string]bool{}
	for _, q := range [][2]string{{otherQuery, otherBody}, {receiverQuery, receiverBody}, {paddingQuery, paddingBody}} {
		refusals[post(t, e, "/weiban/acme", q[0], q[1]).Body.String()] = true
	}
	if len(refusals) != 1 {
		t.Errorf("refusals can be told apart: %v", refusals)
	}
	for _, m := range []string{http.MethodPut, http.MethodDelete, http.MethodHead} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), m, "/weiban/acme?"+okQuery, http.NoBody))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, POST" {
			t.Errorf("%s: %d, Allow %q", m, w.Code, w.Header().Get("Allow"))
		}
	}
	if _, err := b.Next(t.Context(), "CALLBACKS", ">", 1); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("something of a refused request was stored: %v", err)
	}
}

func TestEchoRepairsPlus(t *testing.T) {
	e := endpoint(t, bustest.New(t), io.Discard, nil)
	for i := range 200 { // until an echo with a '+' has been seen
		encrypt, signature := sealed(t, key, corp, "84512345", "1", "2")
		raw := "msg_signature=" + signature + "&timestamp=1&nonce=2&echostr=" + strings.ReplaceAll(encrypt, "=", "%3D")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/weiban/acme?"+raw, http.NoBody))
		if w.Code != http.StatusOK || w.Body.String() != "84512345" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Fatalf("echo %d: %d %q", i, w.Code, w.Body)
		}
		if strings.Contains(encrypt, "+") {
			return
		}
	}
	t.Fatal("no echo had a '+'")
}

func TestVerifiedIsNeverDropped(t *testing.T) {
	b := bustest.New(t)
	meter, drifts := connectortest.Drifts(t)
	e := endpoint(t, b, io.Discard, func(o *ingest.Options) { o.Meter = meter })
	texts := []string{
		"not json", ``, `{"a":1,"a":2}`, strings.Repeat("[", 3000), `{"n":1e10000000}`, "\xff\xfe", `[]`,
		`{"status":"create","msg_data":{}}`,                                                    // says no event
		`{"id":"m1","event":"meeting_change","status":"create","msg_data":{"meeting":{}}}`,     // a kind to come
		`{"id":"m2","event":"work_order_change","status":"bless","msg_data":{"order_no":"1"}}`, // a status to come
		notice("m3", "close", "1446377590381088768"),
	}
	for i, text := range texts {
		q, body := signed(t, key, corp, text)
		if w := post(t, e, "/weiban/acme", q, body); w.Code != http.StatusOK || w.Body.String() != "{\"errcode\":0,\"errmsg\":\"ok\"}\n" {
			t.Fatalf("%q: %d %s", text, w.Code, w.Body)
		}
		s, err := b.Get(t.Context(), "CALLBACKS", uint64(i+1))
		if err != nil {
			t.Fatalf("%q was answered 200 and is not there: %v", text, err)
		}
		ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
		if err != nil || string(ev.Data()) != text {
			t.Fatalf("%q became %q: %v", text, ev.Data(), err)
		}
	}
	for seq, want := range map[uint64]string{
		1: "gongdan.acme.event.weiban.unrecognised.raw.", 9: "gongdan.acme.event.weiban.meeting_change.create.m1",
		10: "gongdan.acme.event.weiban.work_order_change.bless.1", 11: "gongdan.acme.event.weiban.work_order_change.close.1446377590381088768",
	} {
		s, err := b.Get(t.Context(), "CALLBACKS", seq)
		if err != nil || !strings.HasPrefix(s.Subject, want) {
			t.Errorf("message %d on %s, want %s: %v", seq, s.Subject, want, err)
		}
	}
	counts := drifts()
	for what, want := range map[string]int64{
		"weiban raw not understood": 8, "weiban callback unknown msg_data": 1, "weiban callback gone corp_id": 2, "weiban callback gone msg_data.staff_id": 1,
	} {
		if counts[what] != want {
			t.Errorf("counted %q %d times, want %d: %v", what, counts[what], want, counts)
		}
	}
}

func TestSameCallbackTwiceAndAtOnce(t *testing.T) {
	b := bustest.New(t)
	e := endpoint(t, b, io.Discard, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			q, body := signed(t, key, corp, notice("same", "create", "1"))
			if w := post(t, e, "/weiban/acme", q, body); w.Code != http.StatusOK {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if _, err := b.Get(t.Context(), "CALLBACKS", 1); err != nil {
		t.Fatal(err)
	}
	if s, err := b.Next(t.Context(), "CALLBACKS", ">", 2); !errors.Is(err, bus.ErrNotFound) {
		t.Fatalf("stored twice: %v, %v", s.Sequence, err)
	}
}

type broken struct{ err error }

func (p broken) Publish(context.Context, bus.Message) (bus.Ack, error) { return bus.Ack{}, p.err }

func TestNotDurableIs503(t *testing.T) {
	for _, cause := range []error{bus.ErrFull, bus.ErrUnreachable, context.DeadlineExceeded} {
		e := endpoint(t, broken{cause}, io.Discard, nil)
		q, body := signed(t, key, corp, notice("1", "create", "1"))
		w := post(t, e, "/weiban/acme", q, body)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "5" {
			t.Errorf("%v: %d, Retry-After %q", cause, w.Code, w.Header().Get("Retry-After"))
		}
	}
}

func TestStaleSignature(t *testing.T) {
	e := endpoint(t, broken{bus.ErrFull}, io.Discard, func(o *ingest.Options) { o.MaxSkew = time.Hour })
	q, body := signed(t, key, corp, notice("1", "create", "1"))
	if w := post(t, e, "/weiban/acme", q, body); w.Code != http.StatusForbidden {
		t.Errorf("a signature of 2021: %d", w.Code)
	}
}

func TestSlowClient(t *testing.T) {
	var log bytes.Buffer
	srv := httptest.NewServer(endpoint(t, broken{bus.ErrFull}, &log, nil))
	defer srv.Close()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	q, _ := signed(t, key, corp, "x")
	if _, err := fmt.Fprintf(c, "POST /weiban/acme?%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", q); err != nil {
		t.Fatal(err)
	}
	reply, err := io.ReadAll(c) // ends when the server gives up on us
	if err != nil || !bytes.Contains(reply, []byte("400 Bad Request")) {
		t.Fatalf("a byte and then nothing: %q, %v", reply, err)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	e := endpoint(t, blocking{held, hold}, io.Discard, func(o *ingest.Options) { o.MaxInFlight = 1 })
	q, body := signed(t, key, corp, notice("1", "create", "1"))
	first := make(chan int)
	go func() { first <- post(t, e, "/weiban/acme", q, body).Code }()
	<-held
	if w := post(t, e, "/weiban/acme", q, body); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the second at once: %d", w.Code)
	}
	close(hold)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first: %d", code)
	}
}

type blocking struct{ held, hold chan struct{} }

func (p blocking) Publish(context.Context, bus.Message) (bus.Ack, error) {
	p.held <- struct{}{}
	<-p.hold
	return bus.Ack{Sequence: 1}, nil
}

func BenchmarkEndpoint(b *testing.B) {
	conn := bustest.New(b)
	e := endpoint(b, conn, io.Discard, nil)
	b.SetParallelism(32)
	var n int64
	var mu sync.Mutex
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			id := n
			mu.Unlock()
			q, body := signed(b, key, corp, strings.Replace(notice(fmt.Sprintf("m%d", id), "reply", "1446377590381088768"), `"LiYang"`,
				`"LiYang","content":{"text":"`+strings.Repeat("已修好", 80)+`"}`, 1))
			if w := post(b, e, "/weiban/acme", q, body); w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
		}
	})
}
