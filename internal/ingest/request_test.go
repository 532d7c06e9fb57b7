package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/ingest"
)

// reply is an answer that was read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// ask sends one request to a real listener, with a client that follows no redirect.
func ask(tb testing.TB, method, to string, body io.Reader, header http.Header) reply {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, to, body)
	if err != nil {
		tb.Fatal(err)
	}
	maps.Copy(r.Header, header)
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := c.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// listening is the endpoint behind a real listener.
func listening(t *testing.T, log io.Writer, change func(*ingest.Options)) string {
	t.Helper()
	srv := httptest.NewServer(endpoint(t, &shelf{}, log, change))
	t.Cleanup(srv.Close)
	return srv.URL
}

// An address with a slash too many is served in place: a redirect would lose the body,
// and its Location repeat the signed query. What is not ours in the query refuses
// nothing.
func TestAddressesThatAreNearlyRight(t *testing.T) {
	at := listening(t, io.Discard, nil)
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	for address, want := range map[string]int{
		"/weiban/acme?" + query:                      200,
		"/weiban/acme/?" + query:                     200,
		"//weiban/acme?" + query:                     200,
		"/weiban//acme//?" + query:                   200,
		"/weiban/acme?from=a;b&" + query:             200,
		"/weiban/acme?" + query + "&rate=100%&;":     200,
		"/weiban/acme?%zz=1&" + query:                200,
		"/weiban/acme?" + query + "&nonce=a-second":  200,
		"/weiban?" + query:                           404,
		"/weiban/?" + query:                          404,
		"/weiban/acme/more?" + query:                 404,
		"/x/../weiban/acme?" + query:                 404,
		"/weiban/acme?nonce=%zz&" + query:            400,
		"/weiban/acme?" + query + "&msg_signature=%": 200, // the first of a name counts
	} {
		answer := ask(t, http.MethodPost, at+address, strings.NewReader(body), nil)
		if answer.Status != want {
			t.Errorf("%s: %d %s, want %d", address, answer.Status, answer.Body, want)
		}
		if answer.Header.Get("Location") != "" {
			t.Errorf("%s: redirected", address)
		}
	}
}

// A wrong address leaves its path in the log, and never what could be of a query.
func TestWrongAddressesAreLogged(t *testing.T) {
	var log bytes.Buffer
	e := endpoint(t, &shelf{}, &log, nil)
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	for path, want := range map[string]string{
		"/callback":         `"result":"path","took":`,
		"/weiban/acne":      `"path":"/weiban/acne"`,
		"/weiban/acme/hook": `"path":"/weiban/acme/hook"`,
		"/weiban/acme&msg_signature=8ddba101fe5f9404": `"result":"tenant"`,
		"/" + strings.Repeat("8ddba101fe5f9404", 5):   `"result":"path"`,
	} {
		log.Reset()
		post(t, e, path, query, body)
		if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, want) || strings.Contains(said, "8ddba101fe5f9404") {
			t.Errorf("%s: logged %q, want %s", path, said, want)
		}
	}
}

// What is compressed is told so, with or without the header.
func TestCompressedBodyIs415(t *testing.T) {
	at := listening(t, io.Discard, nil)
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, body); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for encoding, tt := range map[string]struct {
		body string
		want int
	}{"gzip": {packed.String(), 415}, "": {packed.String(), 415}, "br": {"x", 415}, "identity": {body, 200}} {
		header := http.Header{}
		if encoding != "" {
			header.Set("Content-Encoding", encoding)
		}
		answer := ask(t, http.MethodPost, at+"/weiban/acme?"+query, strings.NewReader(tt.body), header)
		if answer.Status != tt.want || tt.want == 415 && (!strings.Contains(answer.Body, "without a Content-Encoding") || answer.Header.Get("Accept-Encoding") != "identity") {
			t.Errorf("encoding %q: %d %s %v", encoding, answer.Status, answer.Body, answer.Header)
		}
	}
}

// echoQuery asks for the echo of text, signed at a time.
func echoQuery(t *testing.T, k weiban.Key, text, timestamp string) string {
	t.Helper()
	encrypt, signature := sealed(t, k, corp, text, timestamp, "2")
	return "msg_signature=" + signature + "&timestamp=" + timestamp + "&nonce=2&echostr=" + strings.NewReplacer("=", "%3D", "+", "%2B").Replace(encrypt)
}

// A captured callback is not decrypted for a request that asks for its echo.
func TestEchoTellsNoCallback(t *testing.T) {
	at := listening(t, io.Discard, nil)
	for text, want := range map[string]int{
		"84512345": 200, "aGVsbG8-_.": 200, strings.Repeat("7", 64): 200,
		notice("m1", "close", "1"): 400, `{"a":1}`: 400, `[1]`: 400, `"a"`: 400, "": 400, "a b": 400, "a\n": 400, "工单": 400, strings.Repeat("7", 65): 400,
	} {
		answer := ask(t, http.MethodGet, at+"/weiban/acme?"+echoQuery(t, key, text, "1"), nil, nil)
		if answer.Status != want || (answer.Body == text) != (want == 200) {
			t.Errorf("echo of %q: %d %q, want %d", text, answer.Status, answer.Body, want)
		}
	}
}

// With a bound on its age, a timestamp has the ten digits that Weiban signs.
func TestTimestampHasTenDigits(t *testing.T) {
	at := listening(t, io.Discard, func(o *ingest.Options) { o.MaxSkew = time.Hour })
	now := time.Now().Unix()
	for timestamp, want := range map[string]int{
		fmt.Sprint(now): 200, fmt.Sprint(now - 7200): 403, fmt.Sprintf("%%2B%d", now): 400, fmt.Sprintf("0%d", now): 400,
		fmt.Sprint(now * 1000): 400, "1": 400, fmt.Sprintf("%d.0", now): 400,
	} {
		// Signed over the text behind the escapes, which are in the address alone.
		query := strings.Replace(echoQuery(t, key, "84512345", strings.ReplaceAll(timestamp, "%2B", "+")), "timestamp=+", "timestamp=%2B", 1)
		if answer := ask(t, http.MethodGet, at+"/weiban/acme?"+query, nil, nil); answer.Status != want {
			t.Errorf("timestamp %s: %d, want %d", timestamp, answer.Status, want)
		}
	}
}

// Nobody learns which tenants there are: an unknown one is answered as a known one whose
// signature does not fit.
func TestUnknownTenantAnswersAsAWrongSignature(t *testing.T) {
	full := func() error { return io.ErrShortWrite }
	at := listening(t, io.Discard, func(o *ingest.Options) { o.Refuse = full })
	other := weiban.Key{Token: "other", EncodingAESKey: strings.Repeat("zyxwvutsrqp", 4)[:43]}
	query, body := signed(t, other, corp, notice("m1", "close", "1"))
	for name, send := range map[string]struct {
		method, query, body string
		header              http.Header
	}{
		"callback":      {http.MethodPost, query, body, nil},
		"echo":          {http.MethodGet, echoQuery(t, other, "1", "2"), "", nil},
		"no parameters": {http.MethodGet, "", "", nil},
		"no callback":   {http.MethodPost, query, "{}", nil},
		"large":         {http.MethodPost, query, strings.Repeat("A", 9<<10), nil},
		"compressed":    {http.MethodPost, query, body, http.Header{"Content-Encoding": {"gzip"}}},
		"method":        {http.MethodPut, query, body, nil},
		"query":         {http.MethodPost, "nonce=%", body, nil},
	} {
		var replies [2]reply
		for i, tenant := range []string{"acme", "nobody"} {
			answer := ask(t, send.method, at+"/weiban/"+tenant+"?"+send.query, strings.NewReader(send.body), send.header)
			answer.Header.Del("Date")
			replies[i] = answer
		}
		if diff := cmp.Diff(replies[0], replies[1]); diff != "" {
			t.Errorf("%s (-known +unknown):\n%s", name, diff)
		}
	}
}

// What does not verify leaves no span, and what does leaves one that begins with the
// request.
func TestSpansAreForWhatVerifies(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	e := endpoint(t, &shelf{}, io.Discard, func(o *ingest.Options) {
		o.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	})
	query, body := signed(t, key, corp, notice("m1", "close", "1"))
	forged := strings.Replace(query, "msg_signature=", "msg_signature=0", 1)
	post(t, e, "/weiban/acme", forged, body)
	post(t, e, "/weiban/nobody", query, body)
	post(t, e, "/callback", query, body)
	if n := len(spans.GetSpans()); n != 0 {
		t.Errorf("%d spans of what was refused", n)
	}
	post(t, e, "/weiban/acme", query, body)
	if all := spans.GetSpans(); len(all) != 1 || all[0].Name != "POST /weiban/{tenant}" {
		t.Errorf("spans of a callback: %v", all)
	}
}
