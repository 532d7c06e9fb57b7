package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that must hold for a program to be ready.
type Check struct {
	// Name is short: nats, tenant acme.
	Name string
	// Ready is nil or why not; a nil func is always ready. It must end with its context.
	Ready func(context.Context) error
	// Note is what people should know although work is done, "" for nothing; may be nil.
	// It must answer at once.
	Note func() string
}

// checkWait bounds all checks of one /readyz together; they run side by side.
const checkWait = 2 * time.Second

// Admin serves GET /healthz (the process lives), /readyz (every check holds: 200, else 503; JSON
// says which and why) and /metrics. It is for a listener that only operators reach. More may be
// mounted on it.
func (t *Telemetry) Admin(checks ...Check) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		t.answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		state := t.ask(r.Context(), checks)
		status := http.StatusOK
		if !state.Ready {
			status = http.StatusServiceUnavailable
		}
		t.answer(w, status, state)
	})
	mux.HandleFunc("GET /metrics", t.metrics)
	return mux
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool    `json:"ready"`
	Checks []state `json:"checks"`
}

type state struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
	Note  string `json:"note,omitempty"`
}

func (t *Telemetry) ask(ctx context.Context, checks []Check) readiness {
	ctx, cancel := context.WithTimeoutCause(ctx, checkWait, errors.New("no answer within "+checkWait.String()))
	defer cancel()
	answers := make([]chan error, len(checks))
	for i, check := range checks {
		answers[i] = make(chan error, 1)
		if check.Ready == nil {
			answers[i] <- nil
			continue
		}
		go func() { answers[i] <- check.Ready(ctx) }()
	}
	all := readiness{Ready: true, Checks: make([]state, len(checks))}
	for i, check := range checks {
		var err error
		select {
		case err = <-answers[i]:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		all.Checks[i] = state{Name: check.Name, Ready: err == nil}
		if check.Note != nil {
			all.Checks[i].Note = check.Note()
		}
		if err != nil {
			all.Ready, all.Checks[i].Why = false, err.Error()
		}
	}
	return all
}

func (t *Telemetry) answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(t.Redactor.Bytes(text), '\n')) // who asked may be gone
}

// metrics renders the registry into memory first: redaction needs whole lines.
func (t *Telemetry) metrics(w http.ResponseWriter, r *http.Request) {
	page := page{header: w.Header(), status: http.StatusOK}
	promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(&page, r)
	w.WriteHeader(page.status)
	_, _ = w.Write(t.Redactor.Bytes(page.body.Bytes())) // who asked may be gone
}

// page is an answer held back.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

// PProf serves /debug/pprof/. It is off unless it is mounted: a heap holds every secret of the process.
func PProf() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
