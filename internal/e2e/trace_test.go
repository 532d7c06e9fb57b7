//go:build unix

package e2e_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// Names of the spans at which a trace passes from one program to the next.
const (
	received = "POST /weiban/{tenant}"
	stored   = "publish gongdan.{tenant}.event.weiban.{event}.{status}.{key}"
	enriches = "process enrich work_order"
	enriched = "publish gongdan.{tenant}.event.enriched.{noun}.{status}.{key}"
	handles  = "process handle work_order"
	outcome  = "publish gongdan.{tenant}.event.kingdee.handle_order.{outcome}.{key}"
)

// TestTrace follows one callback through both programs, which run in this process
// and give their spans to one exporter: it must be one trace, and every span must
// hang where the work was done.
func TestTrace(t *testing.T) {
	t.Parallel()
	c := morning()
	i := install(t, harness.Options{Tenants: []harness.TenantOptions{tenant("acme", c)}})
	spans := tracetest.NewInMemoryExporter()
	runInside(t, i, spans)
	sub := subscribe(t, i)
	s := &story{t: t, tenant: i.Tenant("acme"), clock: c}
	order := s.silentOrder(0, "OuyangXue", "LiYang")
	s.then(s.tenant.Weiban.Close, order, fakeweiban.Act{Staff: "LiYang", Text: "好了"})
	s.ended(sub)
	heard := sub.Heard()
	if len(heard) != 3 {
		t.Fatalf("heard %d events, want callback, enriched and outcome", len(heard))
	}
	// The spans that enclose others end a moment after the last event was heard.
	all := waitForSpans(t, spans, handles)
	tree := grow(all)
	for _, link := range []struct {
		name    string
		kind    trace.SpanKind
		service string
		parent  string // "" is a root
		direct  bool   // no other span in between: the parent is in another program, or it is said so
	}{
		{received, trace.SpanKindServer, "gongdan-ingest", "", true},
		{stored, trace.SpanKindProducer, "gongdan-ingest", received, true},
		{enriches, trace.SpanKindConsumer, "gongdan-dispatcher", stored, true},
		{"weiban access_token/get", trace.SpanKindClient, "gongdan-dispatcher", enriches, false},
		{"weiban workorder/detail", trace.SpanKindClient, "gongdan-dispatcher", enriches, false},
		{enriched, trace.SpanKindProducer, "gongdan-dispatcher", enriches, false},
		{handles, trace.SpanKindConsumer, "gongdan-dispatcher", enriched, true},
		{"kingdee push_app_authorize", trace.SpanKindClient, "gongdan-dispatcher", handles, false},
		{"kingdee kingdee_auth_token", trace.SpanKindClient, "gongdan-dispatcher", handles, false},
		{"kingdee get_current_user_info", trace.SpanKindClient, "gongdan-dispatcher", handles, false},
		{"kingdee loadList/wg_service_workorder", trace.SpanKindClient, "gongdan-dispatcher", handles, false},
		{"kingdee handle-order", trace.SpanKindClient, "gongdan-dispatcher", handles, false},
		{outcome, trace.SpanKindProducer, "gongdan-dispatcher", handles, false},
	} {
		span, ok := tree.find(link.name)
		if !ok {
			t.Errorf("there is no span %q", link.name)
			continue
		}
		service, _ := span.Resource.Set().Value(attribute.Key("service.name"))
		if span.SpanKind != link.kind || service.AsString() != link.service {
			t.Errorf("%q is a %s span of %s, want %s of %s", link.name, span.SpanKind, service.AsString(), link.kind, link.service)
		}
		if path := tree.path(span); !hangs(path, link.parent, link.direct) {
			t.Errorf("%q hangs under %q, want under %q (direct: %v)", link.name, path, link.parent, link.direct)
		}
	}
	root, _ := tree.find(received)
	for _, span := range all {
		if vendor, _, _ := strings.Cut(span.Name, " "); (vendor == "weiban" || vendor == "kingdee") &&
			span.SpanContext.TraceID() != root.SpanContext.TraceID() {
			t.Errorf("%q is in another trace", span.Name)
		}
	}
	travels(t, heard, tree, root)
}

// travels holds the events against the spans: the attribute traceparent is the
// starting trace, for life; the message's header is that of its own publishing.
func travels(t *testing.T, heard []harness.Heard, tree tree, root tracetest.SpanStub) {
	t.Helper()
	start := "00-" + root.SpanContext.TraceID().String() + "-" + root.SpanContext.SpanID().String() + "-01"
	for _, got := range heard {
		name := map[string]string{"weiban": stored, "enriched": enriched, "kingdee": outcome}[strings.Split(got.Subject, ".")[3]]
		span, _ := tree.find(name)
		hop := "00-" + root.SpanContext.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"
		if at := events.Extension(got.Event, events.ExtParent); at != start {
			t.Errorf("%s began in %s, want %s", got.Event.Type(), at, start)
		}
		if at := got.Header.Get("traceparent"); at != hop {
			t.Errorf("%s travels with %s, want %s", got.Event.Type(), at, hop)
		}
	}
}

// tree is spans by their ids.
type tree map[trace.SpanID]tracetest.SpanStub

func grow(spans tracetest.SpanStubs) tree {
	out := tree{}
	for _, s := range spans {
		out[s.SpanContext.SpanID()] = s
	}
	return out
}

func (t tree) find(name string) (tracetest.SpanStub, bool) {
	for _, s := range t {
		if s.Name == name {
			return s, true
		}
	}
	return tracetest.SpanStub{}, false
}

// path is the names of the spans above one, nearest first, as far as the trace is
// the same.
func (t tree) path(s tracetest.SpanStub) []string {
	var out []string
	for s.Parent.IsValid() {
		above, ok := t[s.Parent.SpanID()]
		if !ok || above.SpanContext.TraceID() != s.SpanContext.TraceID() {
			return append(out, "a span that nobody exported")
		}
		s = above
		out = append(out, s.Name)
	}
	return out
}

func hangs(path []string, parent string, direct bool) bool {
	switch {
	case parent == "":
		return len(path) == 0
	case len(path) == 0:
		return false
	case direct:
		return path[0] == parent
	}
	for _, name := range path {
		if name == parent {
			return true
		}
	}
	return false
}
