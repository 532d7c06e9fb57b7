// Package fakevendor is the skeleton of a simulated vendor: the port, the reading
// of a request, its way through limits, latency and scripted faults, and the
// registers of issued tokens and counted calls.
//
// It knows neither vendor. Which calls there are, what they answer, and how a
// refusal is worded come from fakeweiban and fakekingdee, which keep their state
// apart from HTTP: they get a [Request] and give an answer. It imports nothing that
// the bridge's clients use.
package fakevendor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/script"
)

// Request is one call as it came.
type Request struct {
	Method                      string
	Path, EscapedPath, RawQuery string
	Query                       url.Values
	Header                      http.Header
	Body                        []byte
}

// Route is one call of a vendor's API.
type Route struct {
	API    string // for scripts, counts and watchers
	Method string
	// Free calls pass without limits and latency.
	Free bool
	// Call says what the request is about and how to carry it out. It sets neither
	// the API nor Release.
	Call func(Request) script.Call
}

// Gateway is the HTTP side of a simulated vendor. It is an http.Handler, and may
// listen on a port of its own. Set the fields before the first call. Its methods may
// be called concurrently.
type Gateway struct {
	Vendor  string // "weiban" or "kingdee", for watchers
	MaxBody int64  // the most that is read of a request's body, in bytes
	Latency time.Duration
	Script  *script.Script
	Observe script.Observer
	Clock   func() time.Time

	Find      func(path string) (Route, bool)
	NotFound  script.Answer // to a path that is no call
	BadMethod script.Answer // to a call by the wrong method
	// Enter counts a call. It returns the refusal of one that is too many, and else
	// the function that gives the call's place back, if there are places.
	Enter func(api string) (refusal *script.Answer, leave func())

	port script.Port
	down atomic.Bool
}

// Start listens on addr, a loopback address; "" is the one used before, or any
// free port. It stops when ctx ends.
func (g *Gateway) Start(ctx context.Context, addr string) error {
	return g.port.Open(ctx, addr, g)
}

// Stop refuses connections from now on and drops those that there are. Start
// opens the same port again. What the vendor itself sends still goes out.
func (g *Gateway) Stop(ctx context.Context) error { return g.port.Close(ctx) }

// URL is the base address of the API, e.g. "http://127.0.0.1:40124".
func (g *Gateway) URL() string { return g.port.URL() }

// Transport carries requests to the simulator without a socket, for tests on a
// fake clock; the port must be open, on a socket or on [script.InMemory].
func (g *Gateway) Transport() http.RoundTripper {
	return script.Memory{Handler: g, Port: &g.port}
}

// SetDown resets every connection before the request is read, or stops doing
// so. The port stays open.
func (g *Gateway) SetDown(down bool) { g.down.Store(down) }

// ServeHTTP answers one call.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.down.Load() {
		script.CutOff(w)
		return
	}
	route, ok := g.Find(r.URL.Path)
	if !ok {
		script.Write(w, g.NotFound)
		return
	}
	if r.Method != route.Method {
		script.Write(w, g.BadMethod)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.MaxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	call := route.Call(Request{
		Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Query: r.URL.Query(), Header: r.Header, Body: body,
	})
	call.API = route.API
	g.answer(w, r, route, call)
}

// answer plays one understood call: limits, latency, script.
func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, route Route, call script.Call) {
	began := time.Now()
	if !route.Free {
		refusal, leave := g.Enter(route.API)
		if refusal != nil {
			script.Write(w, *refusal)
			g.see(call, *refusal, script.None, began)
			return
		}
		if leave != nil {
			call.Release = sync.OnceFunc(leave)
			defer call.Release()
		}
		if !sleep.For(r.Context(), g.Latency) {
			script.CutOff(w)
			return
		}
	}
	fault, a := g.Script.Play(w, r, call)
	g.see(call, a, fault.Kind, began)
}

func (g *Gateway) see(call script.Call, a script.Answer, fault script.Kind, began time.Time) {
	g.Observe.See(script.Event{
		At: g.Clock(), Vendor: g.Vendor, What: "call", API: call.API, Key: call.Key,
		Outcome: a.Code, Fault: fault, Took: time.Since(began),
	})
}
