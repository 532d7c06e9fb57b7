package fakeweiban

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/script"

	"github.com/google/go-cmp/cmp"
)

// unseal is the receiver's half, for the tests alone.
func unseal(encrypt, key string) (random [16]byte, message, receiver string, err error) {
	k, err := base64.StdEncoding.DecodeString(key + "=")
	if err != nil {
		return random, "", "", err
	}
	b, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil || len(b)%block != 0 || len(b) == 0 {
		return random, "", "", fmt.Errorf("no ciphertext of whole blocks: %w", err)
	}
	c, err := aes.NewCipher(k)
	if err != nil {
		return random, "", "", err
	}
	cipher.NewCBCDecrypter(c, k[:16]).CryptBlocks(b, b)
	pad := int(b[len(b)-1])
	if pad < 1 || pad > block || !bytes.Equal(b[len(b)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return random, "", "", errors.New("bad padding")
	}
	b = b[:len(b)-pad]
	n := binary.BigEndian.Uint32(b[16:20])
	return [16]byte(b[:16]), string(b[20 : 20+n]), string(b[20+n:]), nil
}

// Weiban's own published sample: the signature comes out the same, and sealing
// its content again gives its ciphertext.
func TestEnvelopeMakesThePublishedSample(t *testing.T) {
	v := readJSON(t, "echo.json")
	field := func(name string) string { return v[name].(string) }
	q, err := url.ParseQuery(field("query"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEnvelope(field("token"), field("encoding_aes_key"), field("receive_id"))
	if err != nil {
		t.Fatal(err)
	}
	encrypt := q.Get("echostr")
	if got := e.Sign(q.Get("timestamp"), q.Get("nonce"), encrypt); got != q.Get("msg_signature") {
		t.Errorf("signature %s, want %s", got, q.Get("msg_signature"))
	}
	random, message, receiver, err := unseal(encrypt, field("encoding_aes_key"))
	if err != nil || receiver != field("receive_id") {
		t.Fatalf("the sample does not open: %q %v", receiver, err)
	}
	if got, err := e.Seal([]byte(message), random); err != nil || got != encrypt {
		t.Errorf("sealed again %s, %v, want %s", got, err, encrypt)
	}
	for _, key := range []string{"", "short", strings.Repeat("*", 43)} {
		if _, err := New(Options{Callback: Callback{EncodingAESKey: key + "x"}}); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}

// receiver is a callback endpoint that opens what it gets and answers with the
// statuses it is given, then with 200.
type receiver struct {
	t        *testing.T
	mu       sync.Mutex
	statuses []int
	hold     time.Duration
	got      []string // plaintexts
	nonces   map[string]bool
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	encrypt := q.Get("echostr")
	if r.Method == http.MethodPost {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		outer := decoded(b)
		encrypt = outer["encrypt"].(string)
		if len(outer) != 3 || outer["corp_id"] != "1653682321878942721" || outer["app_id"] != "app-sandbox" {
			rc.t.Errorf("outer envelope: %v", outer)
		}
		if r.Header.Get("Content-Type") != "application/json; charset=UTF-8" {
			rc.t.Errorf("content type %q", r.Header.Get("Content-Type"))
		}
	}
	encrypt = strings.ReplaceAll(encrypt, " ", "+")
	e := Envelope{Token: "hJqcu3uJ9Tn2gXPmxx2w9kkCkCE2EPYo"}
	if got := e.Sign(q.Get("timestamp"), q.Get("nonce"), encrypt); got != q.Get("msg_signature") {
		rc.t.Errorf("signature %s, want %s", q.Get("msg_signature"), got)
	}
	_, message, to, err := unseal(encrypt, "6qkdMrq68nTKduznJYO1A37W2oEgpkMUvkttRToqhUt")
	if err != nil || to != "1653682321878942721" {
		rc.t.Errorf("message for %q: %v", to, err)
	}
	status := rc.next(message, q.Get("nonce"))
	if !sleep.For(r.Context(), rc.hold) {
		return
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, message)
	}
}

func (rc *receiver) next(message, nonce string) int {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.got = append(rc.got, message)
	if rc.nonces == nil {
		rc.nonces = map[string]bool{}
	}
	rc.nonces[nonce] = true
	if len(rc.statuses) == 0 {
		return 200
	}
	status := rc.statuses[0]
	rc.statuses = rc.statuses[1:]
	return status
}

// connect gives a server whose callbacks reach the receiver in memory, on a
// clock that synctest moves.
func connect(t *testing.T, rc *receiver, c Callback) *Server {
	t.Helper()
	rc.t = t
	c.URL, c.Client = "http://memory/weiban/acme", &http.Client{Transport: script.Memory{Handler: rc}}
	return newServer(t, Options{Callback: c})
}

// A callback that is not answered 200 comes again, with the same id and the
// next count, signed anew, three times in all.
func TestSendTriesThreeTimes(t *testing.T) {
	type try struct {
		retry, status int
		after         time.Duration
	}
	tests := map[string]struct {
		statuses []int
		hold     time.Duration
		want     []try
		accepted bool
	}{
		"at once":        {nil, 0, []try{{0, 200, 0}}, true},
		"third time":     {[]int{503, 500}, 0, []try{{0, 503, 0}, {1, 500, time.Second}, {2, 200, 2 * time.Second}}, true},
		"never":          {[]int{503, 503, 503}, 0, []try{{0, 503, 0}, {1, 503, time.Second}, {2, 503, 2 * time.Second}}, false},
		"not quite 200":  {[]int{202}, 0, []try{{0, 202, 0}, {1, 200, time.Second}}, true},
		"too slow":       {nil, 6 * time.Second, []try{{0, 0, 0}, {1, 0, 6 * time.Second}, {2, 0, 12 * time.Second}}, false},
		"just in time":   {nil, 4 * time.Second, []try{{0, 200, 0}}, true},
		"redirected off": {[]int{302}, 0, []try{{0, 302, 0}, {1, 200, time.Second}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rc := &receiver{statuses: tt.statuses, hold: tt.hold}
				s := connect(t, rc, Callback{})
				_, n := sample(t, s)
				began := time.Now()
				d, err := s.Send(t.Context(), n)
				if (err == nil) != tt.accepted || d.Accepted() != tt.accepted || s.Accepted() > 1 {
					t.Errorf("accepted %v, %v", d.Accepted(), err)
				}
				var got []try
				for _, a := range d.Attempts {
					got = append(got, try{a.RetryCount, a.Status, a.At.Sub(began)})
					if (a.Status == 0) != (a.Fault != "") {
						t.Errorf("attempt %+v", a)
					}
				}
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(try{})); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				synctest.Wait()
				var want []string
				for i := range tt.want {
					want = append(want, string(n.Plaintext(i)))
				}
				if diff := cmp.Diff(want, rc.got); diff != "" || len(rc.nonces) != len(want) {
					t.Errorf("received with %d nonces (-want +got):\n%s", len(rc.nonces), diff)
				}
			})
		})
	}
}

func TestSendStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := connect(t, &receiver{statuses: []int{503, 503, 503}}, Callback{RetryWait: time.Minute})
		_, n := sample(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if d, err := s.Send(ctx, n); err == nil || len(d.Attempts) != 1 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// Everything posted is answered or given up, and the ledger knows each id.
func TestPostAndDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rc := &receiver{hold: time.Second}
		s := connect(t, rc, Callback{Senders: 3})
		notices, err := s.Seed(9, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(t.Context()); err != nil {
			t.Errorf("drain of nothing: %v", err)
		}
		began := time.Now()
		s.Post(t.Context(), notices...)
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := s.Drain(short); err == nil {
			t.Error("drained at once")
		}
		if err := s.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("nine callbacks of a second by three senders took %s", took)
		}
		if _, err := s.Send(t.Context(), notices[4]); err != nil {
			t.Error(err)
		}
		ledger := s.Ledger()
		if len(ledger) != 9 || s.Accepted() != 9 {
			t.Errorf("%d ids known, %d accepted", len(ledger), s.Accepted())
		}
		for _, d := range ledger {
			want := 1
			if d.ID == notices[4].ID {
				want = 2
			}
			if len(d.Attempts) != want || d.Status != "create" || d.Event != EventOrder {
				t.Errorf("delivery %+v, want %d attempts", d, want)
			}
		}
		if _, known := s.Delivery("unheard"); known {
			t.Error("a delivery of an id that was never sent")
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		extra := s.Renamed(notices[0])
		s.Post(gone, extra)
		if err := s.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if _, known := s.Delivery(extra.ID); known {
			t.Error("a callback was sent after its context had ended")
		}
	})
}

func TestPostKeepsTheOrderOfOneSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rc := &receiver{}
		s := connect(t, rc, Callback{Senders: 1})
		notices, err := s.Seed(20, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Post(t.Context(), notices...)
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, n := range notices {
			if !strings.Contains(rc.got[i], n.ID) {
				t.Fatalf("received %d is %s, want %s", i, rc.got[i], n.ID)
			}
		}
	})
}

func TestVerify(t *testing.T) {
	for _, bare := range []bool{false, true} {
		s := connect(t, &receiver{}, Callback{})
		for range 20 { // most ciphertexts hold a "+"
			if err := s.Verify(t.Context(), bare); err != nil {
				t.Errorf("bare %v: %v", bare, err)
			}
		}
	}
	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "1\n") }))
	defer wrong.Close()
	s := newServer(t, Options{})
	s.SetCallbackURL(wrong.URL + "/?tenant=acme")
	if err := s.Verify(t.Context(), false); err == nil {
		t.Error("a wrong echo was taken")
	}
	s.SetCallbackURL("http://127.0.0.1:1")
	if err := s.Verify(t.Context(), false); err == nil || strings.Contains(err.Error(), "echostr") {
		t.Errorf("nobody there: %v", err)
	}
	s.SetCallbackURL("::")
	if _, _, err := s.SendPlaintext(t.Context(), nil); err == nil || s.CallbackURL() != "::" {
		t.Error("posted to no address")
	}
}
