// Package connectortest holds what every vendor's client must stand: answers that
// are none, and the rule that no secret reaches an error. Only tests use it.
package connectortest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gongdan-bridge/internal/events"
)

// withQuery is a URL whose parameters still have values. It is read only.
var withQuery = regexp.MustCompile(`://[^\s"]*[?&][^=\s"]*=[^…\s"&]`)

// Fault is an answer that no client can use, and the kind of failure that it must
// become for a read and for a write.
type Fault struct {
	Name        string
	Serve       http.HandlerFunc
	Read, Write events.Kind
}

// Faults lists them. The bodies quote the request's URL, as proxies do.
func Faults() []Fault {
	none := func(name string, serve http.HandlerFunc) Fault {
		return Fault{Name: name, Serve: serve, Read: events.Unavailable, Write: events.Uncertain}
	}
	return []Fault{
		none("not JSON", body(http.StatusOK, "ok %s")),
		none("HTML", body(http.StatusOK, "<html><body>Sign in to see %s</body></html>")),
		none("empty", body(http.StatusOK, "")),
		none("JSON without a flag", body(http.StatusOK, `{"url":"%s"}`)),
		none("JSON null", body(http.StatusOK, "null")),
		none("JSON with a key twice", body(http.StatusOK, `{"success":true,"errcode":0,"errcode":0,"success":false}`)),
		none("too deep", body(http.StatusOK, strings.Repeat("[", 10_000))),
		none("cut off", cut(`{"success":true,"errcode":0,"errorCode":"success","da`)),
		none("cut off at a whole value", cut(`{"success":true,"errcode":0,"errorCode":"success","data":[]}`)),
		none("10 MB", body(http.StatusOK, `{"success":true,"errcode":0,"errorCode":"success","data":"`+strings.Repeat("x", 10<<20)+`"}`)),
		none("proxy error", body(http.StatusBadGateway, "<html>502 Bad Gateway for %s</html>")),
		none("redirect", redirect),
		none("connection closed", hangUp),
		none("not HTTP", garble),
		{
			Name: "throttled", Read: events.Throttled, Write: events.Throttled,
			Serve: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
			},
		},
	}
}

// Run tries every fault. start builds the client under test against a simulated
// vendor whose answer to the call under test is serve, and returns that call.
func Run(t *testing.T, write bool, secrets []string, start func(t *testing.T, serve http.HandlerFunc) func(context.Context) error) {
	t.Helper()
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			err := start(t, f.Serve)(t.Context())
			want := f.Read
			if write {
				want = f.Write
			}
			if got := events.KindOf(err); got != want {
				t.Errorf("kind = %q, want %q: %v", got, want, err)
			}
			NoSecret(t, err, secrets...)
		})
	}
}

// NoSecret fails t where an error shows a secret: in its text, in the text of
// anything that it wraps, or printed with any verb.
func NoSecret(t testing.TB, err error, secrets ...string) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, shown := range []string{e.Error(), fmt.Sprintf("%v", e), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, secret := range secrets {
				if secret != "" && strings.Contains(shown, secret) {
					t.Errorf("%T shows a secret (%d bytes long): %q", e, len(secret), shown)
				}
			}
			if withQuery.MatchString(shown) {
				t.Errorf("%T shows a URL with its query: %q", e, shown)
			}
		}
	}
}

func body(status int, format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		text := strings.ReplaceAll(format, "%s", "http://"+r.Host+r.URL.String())
		_, _ = w.Write([]byte(text))
	}
}

func cut(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(text))
		panic(http.ErrAbortHandler)
	}
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, r.URL.Path+"/elsewhere?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func garble(w http.ResponseWriter, r *http.Request) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		panic("the server cannot be hijacked")
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write([]byte("NOT HTTP " + r.URL.String() + "\r\n\r\n"))
	_ = conn.Close()
}
