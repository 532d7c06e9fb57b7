package fakeweiban

import (
	"bytes"
	"context"
	"encoding/json"
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
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.UnixMilli(1640244967924)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newServer(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = 1
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// token signs in.
func token(t *testing.T, s *Server) string {
	t.Helper()
	_, a := post(s, fmt.Sprintf(`{"corp_id":%q,"secret":%q}`, s.CorpID(), s.Secret()))
	text, ok := a["access_token"].(string)
	if !ok {
		t.Fatalf("no access token: %v", a)
	}
	return text
}

func post(s *Server, body string) (int, map[string]any) {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/open-api/access_token/get", strings.NewReader(body))
	return do(s, r)
}

// get makes one read with a token.
func get(s *Server, api, token string, query ...string) (int, map[string]any) {
	q := url.Values{"access_token": {token}}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return do(s, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/open-api/"+api+"?"+q.Encode(), nil))
}

func do(h http.Handler, r *http.Request) (int, map[string]any) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, decoded(w.Body.Bytes())
}

// decoded reads JSON with its numbers as they are written; nil if it is none.
func decoded(b []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out map[string]any
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}

func readJSON(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	out := decoded(b)
	if out == nil {
		t.Fatalf("%s holds no JSON object", name)
	}
	return out
}

// errcode is the answer's, as text.
func errcode(a map[string]any) string { return fmt.Sprint(a["errcode"]) }

func must(t *testing.T) func(n Notice, err error) Notice {
	return func(n Notice, err error) Notice {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// sample creates one work order of LiYang's for 大大怪.
func sample(t *testing.T, s *Server) (orderNo string, n Notice) {
	t.Helper()
	n = must(t)(s.Create(NewOrder{
		Title: "空调不制冷", Creator: "LiYang", Handler: "LiHua", Relation: Relation{Name: "大大怪"},
		Answers: []Answer{{"input", "金蝶工单号", []string{"fwgs-20250605-00000001"}}},
	}))
	return n.Key, n
}

// request makes one call over HTTP and gives errcode, or "" where there was no
// whole answer.
func over(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if a := decoded(b); a != nil {
		return errcode(a), nil
	}
	return "", fmt.Errorf("answered %d without JSON", answer.StatusCode)
}
