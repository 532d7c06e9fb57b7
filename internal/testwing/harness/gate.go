//go:build unix

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"sync"

	"gongdan-bridge/internal/testwing/script"
)

// Gate is the address at which the bridge finds a vendor. It can be shut, so that
// connections are refused, and it remembers every credential that passes.
type Gate struct {
	vendor string
	next   http.Handler
	port   *script.Port

	mu   sync.Mutex
	seen map[string]string // credential → what it is
}

func newGate(ctx context.Context, vendor string, next http.Handler) (*Gate, error) {
	g := &Gate{vendor: vendor, next: next, port: new(script.Port), seen: map[string]string{}}
	return g, g.Open(ctx)
}

// Open lets calls in again, at the same address as before.
func (g *Gate) Open(ctx context.Context) error { return g.port.Open(context.WithoutCancel(ctx), "", g) }

// Shut refuses connections from now on and drops those that there are.
func (g *Gate) Shut(ctx context.Context) error { return g.port.Close(ctx) }

// URL is the base address.
func (g *Gate) URL() string { return g.port.URL() }

// Secrets are the credentials that have passed so far, by their value.
func (g *Gate) Secrets() map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.seen)
}

// ServeHTTP passes a call on and reads along.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"access_token", "authority_info", "app_signature"} {
		g.note(name, r.URL.Query().Get(name))
		g.note(name, r.Header.Get(name))
	}
	g.note("X-Api-Signature", r.Header.Get("X-Api-Signature"))
	copied := &copier{ResponseWriter: w}
	defer func() { g.read(copied.text.Bytes()) }()
	g.next.ServeHTTP(copied, r)
}

func (g *Gate) note(what, value string) {
	if value == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen[value] = g.vendor + " " + what
}

// read looks for credentials in an answer.
func (g *Gate) read(answer []byte) {
	var doc any
	names := bytes.Contains(answer, []byte("token")) || bytes.Contains(answer, []byte("appSecret"))
	if names && json.Unmarshal(answer, &doc) == nil {
		g.walk(doc)
	}
}

func (g *Gate) walk(doc any) {
	switch doc := doc.(type) {
	case map[string]any:
		for name, v := range doc {
			if text, ok := v.(string); ok && (name == "access_token" || name == "app-token" || name == "appSecret") {
				g.note(name, text)
			}
			g.walk(v)
		}
	case []any:
		for _, v := range doc {
			g.walk(v)
		}
	}
}

// copier keeps the beginning of an answer; what it wraps may be hijacked.
type copier struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (c *copier) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *copier) Write(b []byte) (int, error) {
	const enough = 64 << 10
	if c.text.Len() < enough {
		c.text.Write(b)
	}
	return c.ResponseWriter.Write(b)
}
