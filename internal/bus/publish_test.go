package bus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestPublishStoresWhatWasSent(t *testing.T) {
	b := bustest.New(t)
	m := callback(1)
	m.ContentType = "application/cloudevents+json"
	m.Header = bus.Header{"X-Kept": {"as it is"}}
	ack := publish(t, b, m)
	if want := (bus.Ack{Stream: bus.Callbacks, Sequence: 1}); ack != want {
		t.Fatalf("ack is %+v, want %+v", ack, want)
	}
	got := must(b.Get(within(t), bus.Callbacks, 1))(t)
	if time.Since(got.Time) > time.Minute || got.Subject != m.Subject || string(got.Data) != string(m.Data) || got.ID() != m.ID {
		t.Fatalf("stored %+v", got)
	}
	for name, want := range map[string]string{"content-type": m.ContentType, "X-Kept": "as it is"} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("header %s is %q, want %q", name, v, want)
		}
	}
}

func TestMessageIDsAreStreamWide(t *testing.T) {
	b := bustest.New(t)
	first := publish(t, b, callback(1))
	again := publish(t, b, callback(1))
	if again.Sequence != first.Sequence || !again.Duplicate {
		t.Errorf("the same message again is %+v, want a duplicate of %d", again, first.Sequence)
	}
	other := callback(1)
	other.Subject = strings.Replace(other.Subject, "acme", "other", 1)
	if ack := publish(t, b, other); !ack.Duplicate {
		t.Errorf("the same id of another tenant is %+v: ids need the tenant in them", ack)
	}
	other.ID = "other/1"
	if ack := publish(t, b, other); ack.Duplicate {
		t.Errorf("another id is %+v, want it stored", ack)
	}
	none := callback(1)
	none.ID = ""
	if ack := publish(t, b, none, none); ack.Duplicate {
		t.Errorf("no id is %+v, want it stored each time", ack)
	}
}

func TestEverySubjectHasItsStream(t *testing.T) {
	spans, b := traced(t)
	for _, c := range []struct{ subject, stream, shape string }{
		{events.CallbackSubject("acme", "work_order_change", "close", "14.1"), bus.Callbacks, "gongdan.{tenant}.event.weiban.{event}.{status}.{key}"},
		{events.CallbackSubject("acme", "", "", "工"), bus.Callbacks, "gongdan.{tenant}.event.weiban.{event}.{status}.{key}"},
		{events.ReplaySubject("acme", events.Enrich, events.WorkOrder, "1"), bus.Callbacks, "gongdan.{tenant}.replay.enrich.{noun}.{key}"},
		{events.EnrichedSubject("acme", events.Opportunity, "", "1"), bus.Events, "gongdan.{tenant}.event.enriched.{noun}.{status}.{key}"},
		{events.OutcomeSubject("acme", events.Applied, "1"), bus.Events, "gongdan.{tenant}.event.kingdee.handle_order.{outcome}.{key}"},
		{events.ReplaySubject("acme", events.Handle, events.WorkOrder, "1"), bus.Events, "gongdan.{tenant}.replay.handle.{noun}.{key}"},
		{events.DeadSubject("acme", events.Handle, events.Unmapped, events.WorkOrder, "1"), bus.Dead, "gongdan.{tenant}.dead.{stage}.{kind}.{noun}.{key}"},
		{events.AuditSubject("acme", "discard"), bus.Audit, "gongdan.{tenant}.audit.{action}"},
		{"gongdan.acme.event.weiban.later.kinds.have.more.tokens", bus.Callbacks, "gongdan.*.event.weiban.>"},
	} {
		ack := publish(t, b, bus.Message{Subject: c.subject})
		if ack.Stream != c.stream {
			t.Errorf("%s went to %s, want %s", c.subject, ack.Stream, c.stream)
		}
		all := spans.GetSpans()
		if name := all[len(all)-1].Name; name != "publish "+c.shape {
			t.Errorf("%s made span %q, want %q", c.subject, name, "publish "+c.shape)
		}
	}
}

func TestPublishRefuses(t *testing.T) {
	b := bustest.New(t)
	large := callback(1)
	large.Data = make([]byte, 9<<20)
	commanding := callback(1)
	commanding.Header = bus.Header{"nats-ttl": {"1s"}}
	for _, c := range []struct {
		name string
		m    bus.Message
		want string
	}{
		{"no stream", bus.Message{Subject: "gongdan.acme.ctl.pause"}, "no stream takes this subject"},
		{"foreign", bus.Message{Subject: "$KV.STATE.owner.acme"}, "no stream takes this subject"},
		{"wildcard", bus.Message{Subject: "gongdan.*.audit.x"}, "not a subject to publish on"},
		{"empty token", bus.Message{Subject: "gongdan..audit.x"}, "not a subject to publish on"},
		{"space", bus.Message{Subject: "gongdan.a b.audit.x"}, "invalid subject"},
		{"command", commanding, "header nats-ttl is the server's"},
		{"too large", large, bus.ErrTooLarge.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.Publish(within(t), c.m)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestFullStream(t *testing.T) {
	s := bustest.Server(t)
	b := bustest.Connect(t, s, bus.Options{Limits: bus.Limits{Of: map[string]bus.Limit{bus.Callbacks: {MaxBytes: 64 << 10}}}})
	stored := 0
	var err error
	for i := 0; err == nil; i++ {
		m := callback(i)
		m.Data = make([]byte, 4<<10)
		if _, err = b.Publish(within(t), m); err == nil {
			stored++
		}
	}
	is(t, err, bus.ErrFull)
	if stored == 0 || stored > 16 {
		t.Errorf("%d messages of 4 KB were stored in 64 KB", stored)
	}
	u := must(b.Usage(within(t), bus.Callbacks))(t)
	if u.Messages != uint64(stored) || u.MaxBytes != 64<<10 || u.Bytes == 0 || u.First != 1 || u.Last != uint64(stored) {
		t.Errorf("usage is %+v, want %d messages", u, stored)
	}
	// The flood of callbacks does not stop the work behind it.
	publish(t, b, bus.Message{Subject: events.EnrichedSubject("acme", events.WorkOrder, "close", "1")})
}

func TestPublishFromManyAtOnce(t *testing.T) {
	b := bustest.New(t)
	const n = 300
	var wg sync.WaitGroup
	seqs := make([]uint64, n)
	for i := range n {
		wg.Go(func() {
			ack, err := b.Publish(within(t), callback(i))
			if err != nil {
				t.Error(err)
			}
			seqs[i] = ack.Sequence
		})
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for _, s := range seqs {
		seen[s] = true
	}
	if len(seen) != n {
		t.Errorf("%d messages have %d sequences", n, len(seen))
	}
}

func TestPublishWhileDisconnectedFailsAtOnce(t *testing.T) {
	s := start(t, natsd.Options{})
	b := bustest.Connect(t, s, bus.Options{})
	publish(t, b, callback(1))
	stop(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := b.Publish(ctx, callback(2))
	is(t, err, bus.ErrUnreachable)
	if ctx.Err() != nil {
		t.Error("the publish waited for its deadline")
	}
	is(t, b.Ready(within(t)), bus.ErrUnreachable)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Publish(cancelled, callback(3))
	is(t, err, context.Canceled)
	if events.KindOf(err) != events.Interrupted {
		t.Errorf("a cancelled publish is %s, want interrupted", events.KindOf(err))
	}
}

// traced is a bus whose spans are kept.
func traced(t *testing.T) (*tracetest.InMemoryExporter, *bus.Bus) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	t.Cleanup(func() { _ = tp.Shutdown(context.Background()) })
	return spans, bustest.Connect(t, bustest.Server(t), bus.Options{TracerProvider: tp})
}

func TestTraceGoesWithTheMessage(t *testing.T) {
	spans, b := traced(t)
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled,
		TraceState: must(trace.ParseTraceState("vendor=1"))(t),
	})
	ctx := trace.ContextWithSpanContext(within(t), parent)
	m := callback(1)
	m.Header = bus.Header{"Traceparent": {"00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01"}}
	if _, err := b.Publish(ctx, m); err != nil {
		t.Fatal(err)
	}
	got := spans.GetSpans()
	if len(got) != 1 || got[0].SpanKind != trace.SpanKindProducer || got[0].Parent.SpanID() != parent.SpanID() {
		t.Fatalf("spans are %+v, want one producer below the caller's", got)
	}
	attrs := attribute.NewSet(got[0].Attributes...)
	for key, want := range map[string]string{
		"messaging.system": "nats", "messaging.message.id": m.ID,
		"messaging.destination.template": "gongdan.{tenant}.event.weiban.{event}.{status}.{key}",
	} {
		if v, _ := attrs.Value(attribute.Key(key)); v.AsString() != want {
			t.Errorf("attribute %s is %q, want %q", key, v.AsString(), want)
		}
	}
	stored := must(b.Get(within(t), bus.Callbacks, 1))(t)
	sc := got[0].SpanContext
	want := bus.Header{
		"traceparent": {fmt.Sprintf("00-%s-%s-01", sc.TraceID(), sc.SpanID())},
		"tracestate":  {"vendor=1"},
	}
	have := bus.Header{}
	for k, v := range stored.Header {
		if strings.HasPrefix(strings.ToLower(k), "trace") {
			have[k] = v
		}
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("trace headers (-want +have):\n%s", d)
	}
	remote := trace.SpanContextFromContext(stored.Context(t.Context()))
	if !remote.IsRemote() || remote.SpanID() != sc.SpanID() || remote.TraceID() != sc.TraceID() {
		t.Errorf("the reader's parent is %v, want the publish span", remote)
	}
}
