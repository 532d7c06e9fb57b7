package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
	"gongdan-bridge/schemas"
)

func codec(tb testing.TB) *events.Codec {
	tb.Helper()
	set, err := schemas.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return events.NewCodec(set)
}

const closeText = `{"id":"7a1d","corp_id":"1704174310933890049","create_time":1640244967924,"type":"event",` +
	`"event":"work_order_change","status":"close","retry_count":0,"msg_data":{"order_no":"1446377590381088768","staff_id":"LiYang",` +
	`"content":{"text":"已修好","pic":["https://e.example/a.png"]}}}`

func closing() events.Callback {
	return events.Callback{
		Tenant: "acme", CorpID: "1704174310933890049", ID: "7a1d", Event: "work_order_change", Status: "close",
		Key: "1446377590381088768", Time: time.UnixMilli(1640244967924), Origin: events.FromCallback, Data: []byte(closeText),
	}
}

func traced() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

func TestCallbackSurvivesTheWay(t *testing.T) {
	c := codec(t)
	e, err := events.NewCallback(traced(), closing())
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	var wire map[string]any
	if err := json.Unmarshal(b, &wire); err != nil {
		t.Fatal(err)
	}
	var data any
	if err := json.Unmarshal([]byte(closeText), &data); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"specversion": "1.0", "id": "7a1d", "type": "com.weibanzhushou.work_order_change.close.v1",
		"source": "urn:weiban:corp:1704174310933890049", "subject": "1446377590381088768",
		"time": "2021-12-23T07:36:07.924Z", "datacontenttype": "application/json", "tenant": "acme", "origin": "callback",
		"traceparent": "00-01000000000000000000000000000000-0200000000000000-01", "data": data,
	}
	if diff := cmp.Diff(want, wire); diff != "" {
		t.Fatalf("event on the wire (-want +got):\n%s", diff)
	}
	back, err := events.Decode(events.ContentType, b)
	if err != nil {
		t.Fatal(err)
	}
	if string(back.Data()) != closeText {
		t.Fatalf("data changed on the way: %s", back.Data())
	}
	sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{events.ExtParent: events.Extension(back, events.ExtParent)}))
	if sc.TraceID() != (trace.TraceID{1}) {
		t.Fatalf("starting trace lost: %v", sc)
	}
}

func TestDerivedEvents(t *testing.T) {
	c := codec(t)
	parent, err := events.NewCallback(traced(), closing())
	if err != nil {
		t.Fatal(err)
	}
	pos := events.Position(parent.Time(), 42)
	// 19-digit numbers and rounded ones stay as they are written.
	detail := json.RawMessage(`{"order_no":"1446377590381088768","rounded":1653682321878942700}`)
	en, err := events.NewEnriched(parent, events.WorkOrder, "1446377590381088768", 0, pos,
		events.Enriched{Callback: []byte(closeText), FetchedAt: time.Unix(1640244968, 0).UTC(), WorkOrder: detail})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Encode(en); err != nil {
		t.Fatal(err)
	}
	d, err := events.DecodeEnriched(en)
	if err != nil || string(d.WorkOrder) != string(detail) || string(d.Callback) != closeText {
		t.Fatalf("enriched data changed: %v\n%s\n%s", err, d.WorkOrder, d.Callback)
	}
	out, err := events.NewOutcome(en, "1683187060740048426", 0, time.Unix(1640244969, 0), events.HandleOutcome{
		Outcome: events.Applied, Stage: events.Handle, Noun: events.WorkOrder, Key: "1446377590381088768",
		Rule: "close", Bill: &events.BillRef{ID: "2230413444614467584", OrderNo: "fwgs-20250605-00000001"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Encode(out); err != nil {
		t.Fatal(err)
	}
	got := []string{en.ID(), out.ID(), events.Extension(out, "causationid"), events.Extension(out, "position"), events.Extension(out, "traceparent")}
	want := []string{"7a1d~enrich~0", "7a1d~enrich~0~applied~0", "7a1d~enrich~0", "001640244967924-00000000000000000042", "00-01000000000000000000000000000000-0200000000000000-01"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsNotUnderstoodTravelsWhole(t *testing.T) {
	c := codec(t)
	for _, text := range []string{"not json", `{"a":1,"a":2}`, "\xff\xfe", `[1e10000000]`, ``, `"just text"`, `{"工单":1}`} {
		e, err := events.NewCallback(context.Background(), events.Callback{
			Tenant: "acme", CorpID: "1", ID: "编号 一", Origin: events.FromCallback, Data: []byte(text), NotJSON: text[:min(1, len(text))] != "\"",
		})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		b, err := c.Encode(e)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		back, err := events.Decode(events.ContentType, b)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if string(back.Data()) != text || back.Type() != "com.weibanzhushou.unrecognised.raw.v1" {
			t.Fatalf("%q came back as %q of type %s", text, back.Data(), back.Type())
		}
	}
}

func TestEncodeRefusesWhatBreaksTheContract(t *testing.T) {
	c := codec(t)
	e, err := events.NewCallback(context.Background(), closing())
	if err != nil {
		t.Fatal(err)
	}
	e.DataEncoded = []byte(`{"event":"work_order_change","status":"switch","msg_data":{"order_no":"1"}}`)
	var f *schemas.Faults
	if _, err := c.Encode(e); !errors.As(err, &f) || f.List[0].Path != "/status" {
		t.Fatalf("a close event with a switch inside: %v", err)
	}
	if c.Conforms(e) {
		t.Fatal("Conforms disagrees with Encode")
	}
	// What must go on goes on all the same, and says what is wrong with it.
	b, misfit, err := c.EncodeAny(e)
	if err != nil || !errors.As(misfit, &f) {
		t.Fatalf("%v, misfit %v", err, misfit)
	}
	if again, err := events.Decode(events.ContentType, b); err != nil || string(again.Data()) != string(e.Data()) {
		t.Errorf("%v: %s", err, b)
	}
	e.DataEncoded = []byte(`{"event":"work_order_change","status":"close","msg_data":{"order_no":"1"}}`)
	if _, misfit, err := c.EncodeAny(e); err != nil || misfit != nil {
		t.Errorf("%v, misfit %v", err, misfit)
	}
	e.SetID("")
	if b, _, err := c.EncodeAny(e); err == nil {
		t.Errorf("an event without an id became %s", b)
	}
}

func TestDecodeRefuses(t *testing.T) {
	ok := `{"specversion":"1.0","id":"1","source":"urn:x","type":"t"}`
	for name, in := range map[string][2]string{
		"content type": {"application/json", ok},
		"not json":     {events.ContentType, `<html>`},
		"no id":        {events.ContentType, `{"specversion":"1.0","source":"urn:x","type":"t"}`},
		"duplicate":    {events.ContentType, `{"specversion":"1.0","id":"1","id":"2","source":"urn:x","type":"t"}`},
		"bad time":     {events.ContentType, `{"specversion":"1.0","id":"1","source":"urn:x","type":"t","time":"secret"}`},
	} {
		_, err := events.Decode(in[0], []byte(in[1]))
		if !errors.Is(err, events.ErrNotEvent) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := events.Decode(events.ContentType+"; charset=utf-8", []byte(ok)); err != nil {
		t.Errorf("charset parameter: %v", err)
	}
}

func TestTokenIsOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9_=.*> -]{0,12}`)).Draw(t, "s")
		tok := events.Token(s)
		if tok == "" || strings.ContainsAny(tok, ".*> \t\r\n%~") {
			t.Fatalf("Token(%q) = %q is not a token", s, tok)
		}
		back, err := events.Untoken(tok)
		if err != nil || back != s {
			t.Fatalf("Untoken(%q) = %q, %v; want %q", tok, back, err, s)
		}
	})
	for _, bad := range []string{"", "=4", "=41", "=zz", "a.b", "=ff", "工", "=="} {
		if s, err := events.Untoken(bad); err == nil {
			t.Errorf("Untoken(%q) = %q, want an error", bad, s)
		}
	}
}

func TestRoutesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tenant := rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "tenant")
		key := rapid.StringN(1, 30, -1).Draw(t, "key")
		status := rapid.StringN(1, 10, -1).Draw(t, "status")
		noun := rapid.SampledFrom([]events.Noun{events.WorkOrder, events.Opportunity}).Draw(t, "noun")
		stage := rapid.SampledFrom([]events.Stage{events.Enrich, events.Handle}).Draw(t, "stage")
		want := events.Route{Tenant: tenant, Stage: stage, Noun: noun, Status: status, Key: key}
		s := events.CallbackSubject(tenant, string(noun)+"_change", status, key)
		if stage == events.Handle {
			s = events.EnrichedSubject(tenant, noun, status, key)
		}
		if rapid.Bool().Draw(t, "replay") {
			want.Replay, want.Status, s = true, "", events.ReplaySubject(tenant, stage, noun, key)
		}
		got, err := events.ParseRoute(s)
		if err != nil || got != want {
			t.Fatalf("ParseRoute(%s) = %+v, %v; want %+v", s, got, err, want)
		}
		name, said, of, err := events.ParseCallback(s)
		if is := !want.Replay && stage == events.Enrich; is != (err == nil) || is && (name != string(noun)+"_change" || said != status || of != key) {
			t.Fatalf("ParseCallback(%s) = %q, %q, %q, %v", s, name, said, of, err)
		}
		words := rapid.SampledFrom([]string{"unrecognised", "unrecognised_", "unrecognised__", "raw", "a"})
		event, word := words.Draw(t, "event"), words.Draw(t, "word")
		if name, said, of, err = events.ParseCallback(events.CallbackSubject(tenant, event, word, key)); err != nil || name != event || said != word || of != key {
			t.Fatalf("Weiban's own %s %s became %q, %q, %q, %v", event, word, name, said, of, err)
		}
		if ours := events.CallbackType("", ""); events.CallbackType(event, word) == ours {
			t.Fatalf("Weiban's own %s %s has our type %s", event, word, ours)
		}
		if name, said, of, err = events.ParseCallback(events.CallbackSubject(tenant, "", "", key)); err != nil || name+said != "" || of != key {
			t.Fatalf("ParseCallback of what was not understood = %q, %q, %q, %v", name, said, of, err)
		}
	})
	for _, s := range []string{"", "gongdan", "gongdan.a.event.weiban.meeting_change.create.1", "x.a.replay.enrich.work_order.1", "gongdan.a.replay.enrich.staff.1", "gongdan.a.dead.enrich.invalid.work_order.1"} {
		if r, err := events.ParseRoute(s); err == nil {
			t.Errorf("ParseRoute(%q) = %+v, want an error", s, r)
		}
	}
}

// Same id and content is one event, anything else another; and the id stays one
// that events derived from it can begin with.
func TestCallbackIDs(t *testing.T) {
	keys := rapid.StringMatching(`[0-9a-f]{32}`)
	ids := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z.~ 0-9]{1,130}`), rapid.StringMatching(`[a-f]\.[0-9a-f]{16}`))
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		k, l := keys.Draw(t, "k"), keys.Draw(t, "l")
		one, two := events.CallbackID(a, k), events.CallbackID(b, l)
		if (one == two) != (a == b && k[:16] == l[:16]) {
			t.Fatalf("%q with %s and %q with %s: %s, %s", a, k, b, l, one, two)
		}
		if one != events.SafeID(one) {
			t.Fatalf("%q is no event id", one)
		}
		if id, key, ok := events.SplitCallbackID(one); !ok || id != events.MessageName(a) || key != k[:16] {
			t.Fatalf("%s was taken apart as %q, %q, %v", one, id, key, ok)
		}
	})
	for _, old := range []string{"", "7a1d", "c-0a250707f9fefc91e449ceb77fec6b2b", ".0123456789abcdef", "7a1d.0123456789ABCDEF"} {
		if id, key, ok := events.SplitCallbackID(old); ok {
			t.Errorf("%q was taken apart as %q, %q", old, id, key)
		}
	}
}

// What Weiban wrote is what a subscriber gets, to the byte, and is not blown up
// on its way.
func TestNothingIsEscapedForHTML(t *testing.T) {
	const text = "<&>\u2028 <b>"
	cb := closing()
	cb.Data = []byte(strings.Replace(closeText, "已修好", strings.Repeat(text, 50_000), 1))
	e, err := events.NewCallback(t.Context(), cb)
	if err != nil {
		t.Fatal(err)
	}
	en, err := events.NewEnriched(e, events.WorkOrder, cb.Key, 0, "", events.Enriched{
		Callback: cb.Data, WorkOrder: []byte(`{"order_no":"1","title":"` + text + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := events.NewOutcome(en, "1", 0, time.Unix(1, 0), events.HandleOutcome{
		Outcome: events.Superseded, Stage: events.Handle, Noun: events.WorkOrder, Key: cb.Key, Body: []byte(`{"clsmid":"` + text + `"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []events.Event{e, en, out} {
		b, err := codec(t).Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b) - len(e.Data()); n > 2000 || !bytes.Contains(b, []byte(text)) || bytes.Contains(b, []byte(`\u003c`)) {
			t.Errorf("%s: %d bytes around its data, or characters of it are escaped", e.Type(), n)
		}
	}
}

func TestKindOf(t *testing.T) {
	deep := errors.Join(errors.New("x"), &events.Failure{Kind: events.Missing, Code: "22301"})
	for _, tt := range []struct {
		err  error
		want events.Kind
	}{
		{nil, ""},
		{deep, events.Missing},
		{context.Canceled, events.Interrupted},
		{context.DeadlineExceeded, events.Internal},
		{errors.New("x"), events.Internal},
	} {
		if got := events.KindOf(tt.err); got != tt.want {
			t.Errorf("KindOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	c := codec(f)
	e, err := events.NewCallback(context.Background(), closing())
	if err != nil {
		f.Fatal(err)
	}
	b, err := c.Encode(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"urn:x","type":"t","data_base64":"AA=="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := events.Decode(events.ContentType, b)
		if err != nil {
			return
		}
		if _, err := c.Encode(e); err == nil && e.ID() == "" {
			t.Fatal("an event without an id passed")
		}
		_, _ = events.DecodeEnriched(e)
	})
}

func BenchmarkBuildEvent(b *testing.B) {
	c, ctx := codec(b), traced()
	cb := closing()
	cb.Data = []byte(strings.Replace(closeText, "已修好", strings.Repeat("已修好", 85), 1))
	data, err := strictjson.Decode(cb.Data)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(cb.Data)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := events.NewCallback(ctx, cb)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.CheckData(e.Type(), data); err != nil {
			b.Fatal(err)
		}
		if _, err := events.Marshal(e); err != nil {
			b.Fatal(err)
		}
	}
}
