package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
)

var update = flag.Bool("update", false, "write golden files anew")

const driftOrder = "1471808049579560960"

// callback stores a callback's event as ingest does.
func (in *installation) callback(event, status string, data string) events.Event {
	in.t.Helper()
	c := events.Callback{
		Tenant: "acme", CorpID: in.weiban.CorpID(), ID: "raw-" + events.Hash([]byte(data)), Event: event, Status: status,
		Key: driftOrder, Time: time.Unix(1639741382, 0), Origin: events.FromCallback, Data: []byte(data),
		NotJSON: !json.Valid([]byte(data)),
	}
	subject := events.CallbackSubject("acme", event, status, c.Key)
	if event == "" {
		c.Key = c.ID
		subject = events.CallbackSubject("acme", "", "", c.Key)
	}
	ev, err := events.NewCallback(in.t.Context(), c)
	if err != nil {
		in.t.Fatal(err)
	}
	in.store(subject, ev)
	return ev
}

func (in *installation) store(subject string, ev events.Event) {
	in.t.Helper()
	data, err := json.Marshal(ev)
	if err == nil {
		_, err = in.bus.Publish(in.t.Context(), bus.Message{Subject: subject, ID: ev.ID(), ContentType: events.ContentType, Data: data})
	}
	if err != nil {
		in.t.Fatal(err)
	}
}

// detail stores the enriched event of a callback, with Weiban's own example as
// the detail, changed.
func (in *installation) detail(id string, change ...string) {
	in.t.Helper()
	b, err := os.ReadFile("../connectors/weiban/testdata/work_order.json")
	if err != nil {
		in.t.Fatal(err)
	}
	var page struct {
		WorkOrder json.RawMessage `json:"work_order"`
	}
	changed := strings.NewReplacer(change...).Replace(string(b))
	if err := json.Unmarshal([]byte(changed), &page); err != nil || len(change) > 0 && changed == string(b) {
		in.t.Fatalf("nothing was planted: %v", err)
	}
	parent := in.callback("work_order_change", "close", `{"id":"`+id+`","corp_id":"1","create_time":1639741382,"type":"event",`+
		`"event":"work_order_change","status":"close","msg_data":{"order_no":"`+driftOrder+`","staff_id":"LiuYang"}}`)
	ev, err := events.NewEnriched(parent, events.WorkOrder, driftOrder, 0, events.Position(parent.Time(), 1),
		events.Enriched{Callback: parent.Data(), FetchedAt: time.Now(), WorkOrder: page.WorkOrder})
	if err != nil {
		in.t.Fatal(err)
	}
	in.store(events.EnrichedSubject("acme", events.WorkOrder, "close", driftOrder), ev)
}

// drift runs the command; its moments and ids, which are never the same, are made so.
func (in *installation) drift(args ...string) (string, error) {
	in.t.Helper()
	out, err := in.dispatcher(append([]string{"drift"}, args...)...)
	for pattern, plain := range map[string]string{
		`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`:           "2026-11-22 08:30:15",
		`\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)`: "2026-11-22T08:30:15Z",
	} {
		out = regexp.MustCompile(pattern).ReplaceAllString(out, plain)
	}
	return out, err
}

// What drifts is shown by kind of document, and nothing of what the members hold.
func TestDriftCommand(t *testing.T) {
	in := install(t)
	says := func(want string, args ...string) {
		t.Helper()
		out, err := in.drift(args...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("drift %v does not say %q: %v\n%s", args, want, err, out)
		}
	}
	says("nothing is recorded", "--check")
	in.detail("a")
	says("2 document(s), no drift", "--check", "--all")
	says("without drift: callback 回调 work_order_change.close (1), work_order 工单详情 (1)")

	in.detail("b", `"type_name":`, `"priority": {"level": 3, "由谁": "秘密张三"}, "type_name":`, `"reply_time": 0,`, ``)
	in.detail("c", `"template_title": "鬼鬼"`, `"template_title": ["秘密"], "external_no": "4711471147114711471", "18612345678": "x"`)
	in.callback("meeting_change", "create", `{"id":"m","corp_id":"1","create_time":1,"type":"event","event":"meeting_change","status":"create","msg_data":{"meeting":{"title":"秘密"}}}`)
	in.callback("", "", `{"kind":"秘密"}`)
	in.callback("", "", `秘密, and no JSON`)

	out, err := in.drift("--all")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "drift.golden", out)
	lines, err := in.drift("--json", "--all")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "drift.json.golden", lines)
	if said := out + lines; strings.Contains(said, "秘密") || strings.Contains(said, "4711") || strings.Contains(said, "186") || strings.Contains(said, "由谁") {
		t.Error("a value or a key that is data is said")
	}
	if out, err := in.drift("--check"); cli.ExitStatus(err) != 1 || !strings.Contains(err.Error(), "6 member(s) drift") {
		t.Errorf("--check: %v\n%s", err, out)
	}
	says("no drift", "--check", "--ignore", "processing_flows[].priority,external_no,<key>,template_title,msg_data", "--ignore", "raw")
	says("nothing is recorded", "--check", "--since", "0s")
	odd := weiban.Receive([]byte(`{"event":"work_order_change","status":"close","msg_data":{"order_no":"1","handler_id":{"a":1}}}`))
	in.callback("work_order_change", "close", string(odd.Data))
	says("msg_data.handler_id") // as it came, not as it was fitted
	if _, err := in.drift("--since", "yesterday"); cli.ExitStatus(err) != 2 {
		t.Errorf("--since yesterday: %v", err)
	}
	if _, err := in.drift("--tenant", "nobody"); cli.ExitStatus(err) != 1 {
		t.Errorf("--tenant nobody: %v", err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", name, diff)
	}
}

// Both programs count drift while they work, and what the simulated Weiban sends
// does not drift.
func TestDriftIsCounted(t *testing.T) {
	in := install(t)
	behind, err := url.Parse(in.cfg.Tenants[0].Weiban.BaseURL)
	if err != nil {
		t.Fatal(err)
	}
	var planted atomic.Bool
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) },
		ModifyResponse: func(r *http.Response) error {
			if !planted.Load() || r.Request.URL.Path != "/open-api/workorder/detail" {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			b = bytes.Replace(b, []byte(`"stage_name":`), []byte(`"stage":{"id":7},"stage_name":`), 1)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", fmt.Sprint(len(b)))
			return err
		},
	})
	defer front.Close()
	in.cfg.Tenants[0].Weiban.BaseURL = front.URL
	ingest, dispatcher := in.admin(app.Run.Ingest), in.admin(app.Run.Dispatcher)
	in.ended(in.closed("fwgs-1"), events.Applied)
	in.says("drift --check --all", "2 document(s), no drift")
	for _, at := range []string{ingest, dispatcher} {
		if text := metricsOf(t, at); strings.Contains(text, "gongdan_drift") {
			t.Errorf("something drifts: %s", text)
		}
	}
	planted.Store(true)
	in.ended(in.closed("fwgs-2"), events.Applied)
	in.says("drift", "unknown 未知 stage", "object", "1 of 2")
	if _, _, err := in.weiban.SendPlaintext(t.Context(), []byte(`{"hello":1}`)); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		ingest: `document="raw"[^\n]*what="not understood"`, dispatcher: `document="work_order"[^\n]*path="stage"[^\n]*what="unknown"`,
	} {
		text := metricsOf(t, at)
		if !regexp.MustCompile(`gongdan_drift_total\{[^\n]*` + want).MatchString(text) {
			t.Errorf("no metric %s:\n%s", want, text)
		}
	}
}

// admin starts a program and says where its second listener is.
func (in *installation) admin(run func(app.Run, context.Context) error) string {
	in.t.Helper()
	at := ""
	in.start(func(r app.Run, ctx context.Context) error {
		ready := r.Ready
		r.Ready = func(a app.Addresses) { at = a.Admin; ready(a) }
		return run(r, ctx)
	})
	return at
}

func metricsOf(t *testing.T, at string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
