package weiban

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/accounttest"
)

const (
	secret  = "s3cr3t-of-the-corp"
	orderNo = "1471808049579560960"
)

// vendor is Weiban under a base path, in its own raw words.
type vendor struct {
	*httptest.Server

	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by API; called with the token known to be good
	good    func(token string) bool     // nil = the newest one only
	tokens  int                         // issued
	calls   map[string]int
	queries []url.Values
}

func newVendor(t *testing.T) *vendor {
	t.Helper()
	v := &vendor{answers: make(map[string]http.HandlerFunc), calls: make(map[string]int)}
	v.Server = httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) serve(w http.ResponseWriter, r *http.Request) {
	api, ok := strings.CutPrefix(r.URL.Path, "/base/path/open-api/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	v.mu.Lock()
	v.calls[api]++
	answer, good := v.answers[api], v.good
	newest := v.token()
	q := r.URL.Query()
	v.queries = append(v.queries, q)
	v.mu.Unlock()
	if api == "access_token/get" {
		if answer == nil {
			answer = v.grant
		}
		answer(w, r)
		return
	}
	token := q.Get("access_token")
	if good == nil {
		good = func(token string) bool { return token == newest }
	}
	if !good(token) {
		say(w, `{"errcode":10001,"errmsg":"鉴权失败，access_token=`+token+` 不正确"}`)
		return
	}
	answer(w, r)
}

// token is the one issued last; call it under the lock.
func (v *vendor) token() string { return fmt.Sprintf("t0ken-%d/+==", v.tokens) }

func (v *vendor) grant(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || string(body) != `{"corp_id":"`+corp+`","secret":"`+secret+`"}` {
		say(w, `{"errcode":10049,"errmsg":"参数错误 `+secret+`"}`)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tokens++
	say(w, `{"errcode":0,"errmsg":"ok","access_token":"`+v.token()+`","expires_in":7200}`)
}

func say(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, text)
}

func saying(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { say(w, text) }
}

func example(t testing.TB, file string) http.HandlerFunc {
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return saying(string(b))
}

func (v *vendor) count(api string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[api]
}

func (v *vendor) client(t *testing.T, vault connectors.Vault) *Client {
	t.Helper()
	account := accounttest.New(t, connectors.AccountOptions{
		Vendor: "weiban", Tenant: "acme", Timeout: 5 * time.Second, MaxWait: -1,
		Breaker: connectors.BreakerSettings{Failures: 1000},
	})
	t.Cleanup(account.Close)
	return New(Options{BaseURL: v.URL + "/base/path/", CorpID: corp, Secret: secret, Account: account, Vault: vault})
}

// clean fails if a secret, a token or a URL of ours is in err or anything that it
// wraps.
func clean(t *testing.T, v *vendor, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, events.FailureOf(err))
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		text += fmt.Sprintf(" %v %+v", cause, cause)
	}
	bad := []string{secret, "t0ken", orderNo}
	if events.FailureOf(err).Code == "" { // else Weiban's own words may name a URL, without its values
		bad = append(bad, "open-api", "order_no=", strings.TrimPrefix(v.URL, "http://"))
	}
	for _, bad := range bad {
		if strings.Contains(text, bad) {
			t.Errorf("%q leaks: %s", bad, text)
		}
	}
}
