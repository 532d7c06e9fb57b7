//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// canary stands in the payload of every bad request; no log line may repeat it.
const canary = "payload-canary-7f3a"

// badRequest is one request to the endpoint, its answer, and the word by which
// the log names the fault.
type badRequest struct {
	name, method, query, body string
	status                    int
	fault                     string
}

// badRequests are signed with the tenant's own key where that is what it takes to
// get further.
func badRequests(t *testing.T, acme *harness.Tenant) []badRequest {
	t.Helper()
	token, key := acme.CallbackKey()
	ours := func(text, receiver string) (string, string) { return sealed(t, token, key, receiver, text) }
	corp := acme.Weiban.CorpID()
	query, body := ours(canary, corp)
	otherQuery, otherBody := sealed(t, "another-token", strings.Repeat("k", 43), corp, canary)
	receiverQuery, receiverBody := ours(canary, "1")
	without := func(name string) string {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		q.Del(name)
		return q.Encode()
	}
	cipher := func(encrypt string) (string, string) { return signed(t, token, key, encrypt) }
	textQuery, textBody := cipher(canary + "!")
	oddQuery, oddBody := cipher(base64.StdEncoding.EncodeToString(make([]byte, 33)))
	paddingQuery, paddingBody := cipher(base64.StdEncoding.EncodeToString(make([]byte, 96)))
	post := http.MethodPost
	return []badRequest{
		{"wrong signature", post, strings.Replace(query, "msg_signature=", "msg_signature=0", 1), body, 403, "signature"},
		{"wrong key", post, otherQuery, otherBody, 403, "signature"},
		{"wrong receiver", post, receiverQuery, receiverBody, 403, "receiver"},
		{"bad padding", post, paddingQuery, paddingBody, 403, "padding"},
		{"no signature", post, without("msg_signature"), body, 400, "missing-parameter"},
		{"no timestamp", post, without("timestamp"), body, 400, "missing-parameter"},
		{"no nonce", post, without("nonce"), body, 400, "missing-parameter"},
		{"not base64", post, textQuery, textBody, 400, "base64"},
		{"odd length", post, oddQuery, oddBody, 400, "length"},
		{"empty body", post, query, "", 400, "body"},
		{"not JSON", post, query, canary, 400, "body"},
		{"duplicate keys", post, query, `{"encrypt":"` + canary + `","encrypt":"b"}`, 400, "body"},
		{"deep nest", post, query, strings.Repeat("[", 5000) + canary, 400, "body"},
		{"too large", post, query, `{"encrypt":"` + canary + strings.Repeat("A", 2<<20) + `"}`, 413, "size"},
		{"wrong method", http.MethodPut, query, body, 405, "method"},
		{"echo without a question", http.MethodGet, query, "", 400, "missing-parameter"},
	}
}

// badCallbacks sends them, each of which leaves one line in the log, and then
// what verifies and is not understood, which is never dropped.
func badCallbacks(t *testing.T, i *harness.Installation, sub *harness.Subscriber) {
	t.Helper()
	acme := i.Tenant("acme")
	to := i.CallbackURL("acme")
	for _, bad := range badRequests(t, acme) {
		before := faults(t, i)
		if status, reply := request(t, bad.method, to+"?"+bad.query, strings.NewReader(bad.body)); status != bad.status || strings.Contains(reply, canary) {
			t.Errorf("%s: answered %d %q, want %d", bad.name, status, reply, bad.status)
		}
		if lines := faults(t, i)[len(before):]; len(lines) != 1 || lines[0] != bad.fault {
			t.Errorf("%s: the log says %v, want one line that says %s", bad.name, lines, bad.fault)
		}
	}
	query, body := sealed(t, "another-token", strings.Repeat("k", 43), acme.Weiban.CorpID(), canary)
	if status, _ := request(t, http.MethodPost, i.CallbackURL("nobody")+"?"+query, strings.NewReader(body)); status != http.StatusForbidden {
		t.Errorf("an unknown tenant's callback was answered %d, which tells it from a known one", status)
	}
	slowClient(t, to)
	raw := []string{canary + " is not json", `{"a":"` + canary + `","a":2}`, strings.Repeat("[", 3000), `{"n":1e10000000}`, "", "\xff"}
	for _, text := range raw {
		status, reply, err := acme.Weiban.SendPlaintext(t.Context(), []byte(text))
		if err != nil || status != http.StatusOK {
			t.Errorf("%.20q: answered %d %s: %v", text, status, reply, err)
		}
	}
	err := sub.Wait(within(t, patience), func(heard []harness.Heard) bool {
		n := 0
		for _, h := range heard {
			if strings.HasPrefix(h.Subject, "gongdan.acme.event.weiban.unrecognised.raw.") {
				n++
			}
		}
		return n == len(raw)
	})
	if err != nil {
		t.Errorf("what verified is not all on the bus: %v", err)
	}
	if log, err := i.Ingest.Log(); err != nil || bytes.Contains(log, []byte(canary)) {
		t.Errorf("the log repeats a payload (%v)", err)
	}
}

// faults are the words that the endpoint's log lines name so far, of what was
// refused.
func faults(t *testing.T, i *harness.Installation) []string {
	t.Helper()
	log, err := i.Ingest.Log()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range bytes.Lines(log) {
		var l struct{ Level, Msg, Result string }
		if json.Unmarshal(line, &l) == nil && l.Msg == "callback" && l.Level == "WARN" {
			out = append(out, l.Result)
		}
	}
	return out
}

func request(t *testing.T, method, to string, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(within(t, patience), method, to, body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// slowClient sends a byte now and then and must be cut off, not waited for.
func slowClient(t *testing.T, to string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patience)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	began := time.Now()
	head := "POST " + u.Path + "?msg_signature=a&timestamp=1&nonce=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	drip, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for drip.Err() == nil {
			<-tick.C
			if _, err := conn.Write([]byte("a")); err != nil {
				return
			}
		}
	}()
	reply, err := io.ReadAll(conn)
	if len(reply) > 0 && !strings.HasPrefix(string(reply), "HTTP/1.1 400") || time.Since(began) > 5*time.Second {
		t.Errorf("a slow client got %q after %s: %v", reply, time.Since(began), err)
	}
}

// sealed is the query and body of a callback, made with any key.
func sealed(t *testing.T, token, key, receiver, text string) (query, body string) {
	t.Helper()
	e, err := fakeweiban.NewEnvelope(token, key, receiver)
	if err != nil {
		t.Fatal(err)
	}
	encrypt, err := e.Seal([]byte(text), [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, token, key, encrypt)
}

// signed is a rightly signed request with that ciphertext.
func signed(t *testing.T, token, key, encrypt string) (query, body string) {
	t.Helper()
	e, err := fakeweiban.NewEnvelope(token, key, "")
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"msg_signature": {e.Sign("1749085200", "77", encrypt)}, "timestamp": {"1749085200"}, "nonce": {"77"}}
	return q.Encode(), `{"encrypt":"` + encrypt + `"}`
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{Ingest: "  read_timeout: 400ms\n"})
	if err := i.Ingest.Start(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	badCallbacks(t, i, subscribe(t, i))
	if err := i.Ingest.Stop(within(t, patience)); err != nil {
		t.Error(err)
	}
}
