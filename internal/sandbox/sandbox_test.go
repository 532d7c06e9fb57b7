package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// told is everything that one run of the story has left.
type told struct {
	story, log string
	spans      []trace.ReadOnlySpan
	stored     []bus.Stored // every event and letter
	pages      string       // metrics and readiness
	secrets    map[string]string
}

// safeBuffer is written by several programs at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// tellStory runs the story once and collects what it leaves.
func tellStory(t *testing.T) told {
	t.Helper()
	var story, log safeBuffer
	spans := tracetest.NewInMemoryExporter()
	out := told{secrets: map[string]string{}}
	dir := t.TempDir()
	err := Run(t.Context(), Options{
		Once: true, Dir: dir, Stdout: &story, Log: &log, spans: keep{spans},
		inspect: func(w *world) { out.collect(t, w) },
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, story.b.String())
	}
	out.story, out.log, out.spans = story.b.String(), log.b.String(), spans.GetSpans().Snapshots()
	return out
}

// keep holds the spans over the exporter's shutdown, which both programs call.
type keep struct{ *tracetest.InMemoryExporter }

func (o *told) collect(t *testing.T, w *world) {
	t.Helper()
	e, err := listen(t.Context(), w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	for _, stream := range []string{"CALLBACKS", "EVENTS", "DEAD", "AUDIT"} {
		list, err := e.bus.Page(t.Context(), stream, ">", 1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		o.stored = append(o.stored, list...)
	}
	for _, port := range []int{w.ports.ingestAdmin, w.ports.dispatcherAdmin} {
		for _, page := range []string{"metrics", "readyz", "healthz"} {
			o.pages += get(t, fmt.Sprintf("http://127.0.0.1:%d/%s", port, page))
		}
	}
	a := w.kingdee.Account()
	token, err := os.ReadFile(w.cfg.NATS.Embedded.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	o.secrets = map[string]string{
		"Weiban's secret": weibanSecret, "callback token": callbackToken, "callback key": callbackKey,
		"Kingdee's client secret": a.ClientSecret, "app secret": a.AppSecret, "NATS token": strings.TrimSpace(string(token)),
		"token key": strings.Repeat("5d", 32),
	}
	for i, x := range append(w.weiban.Tokens(), w.kingdee.Tokens()...) {
		o.secrets[fmt.Sprint("access token ", i)] = x
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(b)
}

// Shutdown keeps the spans: both programs call it.
func (keep) Shutdown(context.Context) error { return nil }

func TestTheStory(t *testing.T) {
	o := tellStory(t)
	t.Run("no secret is anywhere", o.noSecret)
	t.Run("one trace from callback to Kingdee", o.oneTrace)
	t.Run("events keep their starting trace", o.startingTrace)
}

func (o told) noSecret(t *testing.T) {
	if len(o.secrets) < 9 {
		t.Fatalf("only %d secrets are known: the run used more", len(o.secrets))
	}
	where := map[string]string{"story": o.story, "log": o.log, "pages": o.pages}
	for _, s := range o.spans {
		where["span "+s.Name()] += fmt.Sprint(s.Attributes(), s.Events(), s.Status(), s.Links())
	}
	for _, s := range o.stored {
		where[s.Stream] += fmt.Sprint(s.Subject, s.Header) + string(s.Data)
	}
	for name, secret := range o.secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			for place, text := range where {
				if strings.Contains(text, form) {
					t.Errorf("%s is in the %s", name, place)
				}
			}
		}
	}
	// The address of a picture is a secret too, but for what Weiban has sent.
	sign := regexp.MustCompile(`sign-[0-9a-f]{16}`)
	if !sign.MatchString(where["CALLBACKS"]) {
		t.Error("no callback brought a picture")
	}
	for place, text := range where {
		if place != "CALLBACKS" && place != "EVENTS" && sign.MatchString(text) {
			t.Errorf("a picture's address is in the %s", place)
		}
		if strings.Contains(text, "/fileserver/") {
			t.Errorf("an uploaded file's address is in the %s", place)
		}
		for _, word := range []string{"access_token=", "authority_info="} {
			if strings.Contains(text, word) && !strings.Contains(text, word+"…") && !strings.Contains(text, word+"%E2%80%A6") {
				t.Errorf("%s with its query is in the %s", word, place)
			}
		}
	}
}

// oneTrace follows the first applied event back to the callback.
func (o told) oneTrace(t *testing.T) {
	byID := map[string]trace.ReadOnlySpan{}
	for _, s := range o.spans {
		byID[s.SpanContext().SpanID().String()] = s
	}
	path := func(s trace.ReadOnlySpan) string {
		names := []string{s.Name()}
		for s.Parent().IsValid() {
			p := byID[s.Parent().SpanID().String()]
			if p == nil {
				return "(lost) > " + strings.Join(names, " > ")
			}
			if p.SpanContext().TraceID() != s.SpanContext().TraceID() {
				t.Errorf("%s is on another trace than its parent", s.Name())
			}
			names, s = append([]string{p.Name()}, names...), p
		}
		return strings.Join(names, " > ")
	}
	paths := map[string]int{}
	for _, s := range o.spans {
		paths[path(s)]++
	}
	const (
		in     = "POST /weiban/{tenant} > publish gongdan.{tenant}.event.weiban.{event}.{status}.{key} > process enrich work_order"
		enrich = in + " > publish gongdan.{tenant}.event.enriched.{noun}.{status}.{key} > process handle work_order"
	)
	for _, want := range []string{
		in, in + " > weiban workorder/detail", enrich,
		enrich + " > kingdee loadList/wg_service_workorder", enrich + " > kingdee handle-order",
		enrich + " > kingdee attachment_upload",
		enrich + " > publish gongdan.{tenant}.event.kingdee.handle_order.{outcome}.{key}",
	} {
		if paths[want] == 0 {
			t.Errorf("no span came this way: %s", want)
		}
	}
	for p := range paths {
		if strings.HasPrefix(p, "(lost)") {
			t.Errorf("a span's parent was not exported: %s", p)
		}
	}
	if t.Failed() {
		for p, n := range paths {
			t.Log(n, p)
		}
	}
}

func (o told) startingTrace(t *testing.T) {
	starts := map[string]string{}
	n := 0
	for _, s := range o.stored {
		if s.Stream != "CALLBACKS" && s.Stream != "EVENTS" {
			continue
		}
		ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
		if err != nil {
			t.Fatal(err)
		}
		root, _, derived := strings.Cut(ev.ID(), "~")
		tp := events.Extension(ev, events.ExtParent)
		if tp == "" {
			t.Errorf("%s carries no traceparent", ev.ID())
		}
		if !derived {
			starts[root] = tp
			continue
		}
		n++
		if tp != starts[root] {
			t.Errorf("%s carries %s, its callback %s", ev.ID(), tp, starts[root])
		}
	}
	if n < 26 {
		t.Errorf("%d derived events, want an enriched and an outcome event for each of 13 callbacks", n)
	}
}
