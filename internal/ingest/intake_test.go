package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ingest"
	"gongdan-bridge/internal/testwing/connectortest"
	"gongdan-bridge/schemas"
)

// shelf keeps the message that was published last; the same message id twice is
// a duplicate, as JetStream has it.
type shelf struct {
	last bus.Message
	seen map[string]bool
}

func (s *shelf) Publish(_ context.Context, m bus.Message) (bus.Ack, error) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	ack := bus.Ack{Sequence: uint64(len(s.seen) + 1), Duplicate: s.seen[m.ID]}
	s.last, s.seen[m.ID] = m, true
	return ack, nil
}

// alerts counts gongdan.ingest.alerts by alarm.
func alerts(t *testing.T, r sdk.Reader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "gongdan.ingest.alerts" {
				for _, p := range sum.DataPoints {
					alarm, _ := p.Attributes.Value("alarm")
					counts[alarm.AsString()] += p.Value
				}
			}
		}
	}
	return counts
}

// An order that cannot be told, and an id that means two events, are said in the
// log and counted, once for each event and without a word of what was sent.
func TestIngestRaisesAlerts(t *testing.T) {
	var log bytes.Buffer
	var s shelf
	reader := sdk.NewManualReader()
	e := endpoint(t, &s, &log, func(o *ingest.Options) { o.Meter = sdk.NewMeterProvider(sdk.WithReader(reader)) })
	deliver := func(text string, unnumbered, reused int64) {
		t.Helper()
		q, body := signed(t, key, corp, text)
		log.Reset()
		if w := post(t, e, "/weiban/acme", q, body); w.Code != 200 {
			t.Fatalf("%s: %d", text, w.Code)
		}
		if now := alerts(t, reader); now["unnumbered"] != unnumbered || now["reused_id"] != reused {
			t.Errorf("%s: alerts %v, want %d and %d", text, now, unnumbered, reused)
		}
		if strings.Contains(log.String(), "secret") {
			t.Errorf("the log holds what was sent: %s", log.String())
		}
	}
	lost := notice("m1", "close", "secret\u200b1")
	deliver(notice("m0", "close", "1"), 0, 0)
	deliver(lost, 1, 0)
	if !strings.Contains(log.String(), `"level":"WARN","msg":"callback"`) || !strings.Contains(log.String(), `"level":"ERROR","msg":"alert","why":"unnumbered"`) || !strings.Contains(log.String(), "order_no has control or invisible characters") {
		t.Errorf("the log says %s", log.String())
	}
	if !strings.HasPrefix(s.last.Subject, "gongdan.acme.event.weiban.work_order_change.close.unnumbered-") {
		t.Errorf("published on %s", s.last.Subject)
	}
	deliver(strings.Replace(lost, "1640244967.924", "1640244968", 1), 1, 0) // a redelivery
	deliver(notice("m0", "close", "1"), 1, 0)
	deliver(notice("m0", "close", "2"), 1, 1)
	if !strings.Contains(log.String(), `"why":"reused_id"`) || !strings.HasSuffix(s.last.Subject, ".close.2") {
		t.Errorf("%s: the log says %s", s.last.Subject, log.String())
	}
	deliver(notice("m2", "close", "2"), 1, 1)
}

// What breaks the schema of its type, as everything breaks one that is not
// there, goes its way, and the log says so.
func TestSchemaDecidesNothing(t *testing.T) {
	var log bytes.Buffer
	var s shelf
	e := endpoint(t, &s, &log, func(o *ingest.Options) { o.Events = events.NewCodec(&schemas.Set{}) })
	q, body := signed(t, key, corp, notice("m1", "close", "1"))
	if w := post(t, e, "/weiban/acme", q, body); w.Code != 200 || s.last.Subject != "gongdan.acme.event.weiban.work_order_change.close.1" {
		t.Errorf("%d, published on %s", w.Code, s.last.Subject)
	}
	if !strings.Contains(log.String(), `"cause":"schema`) {
		t.Errorf("the log says %s", log.String())
	}
}

// A plaintext whose bytes were repaired drifts by its members alone.
func TestRepairedCallbackDoesNotDrift(t *testing.T) {
	var s shelf
	meter, drifts := connectortest.Drifts(t)
	e := endpoint(t, &s, io.Discard, func(o *ingest.Options) { o.Meter = meter })
	q, body := signed(t, key, corp, "\ufeff"+strings.Replace(notice("m1", "close", "1"), "LiYang", "Li\x01Yang", 1)+"\x00")
	if w := post(t, e, "/weiban/acme", q, body); w.Code != 200 {
		t.Fatal(w.Code)
	}
	if counts := drifts(); len(counts) > 0 {
		t.Errorf("drift: %v", counts)
	}
}

func TestLargeCallbackIsNotBlownUp(t *testing.T) {
	var s shelf
	e := endpoint(t, &s, io.Discard, func(o *ingest.Options) { o.MaxBody = 1 << 20 })
	text := notice("m1", "close", "1")
	text = strings.Replace(text, `"LiYang"`, `"LiYang","is_show":"1","content":{"text":"`+strings.Repeat("<", 300_000)+`"}`, 1)
	q, body := signed(t, key, corp, text)
	if w := post(t, e, "/weiban/acme", q, body); w.Code != 200 {
		t.Fatal(w.Code)
	}
	if more := len(s.last.Data) - len(text); more > 2000 {
		t.Errorf("%d bytes became %d", len(text), len(s.last.Data))
	}
}

// documents are the five callbacks that Weiban documents, with all members that
// any of them shows.
func documents() []string {
	var all []string
	for _, status := range []string{"create", "switch", "close", "reopen", "reply"} {
		all = append(all, `{"id":"m1","corp_id":"1704174310933890049","create_time":1640244967.924,"type":"event","event":"work_order_change","status":"`+status+`","retry_count":0,"seq":1,`+
			`"msg_data":{"order_no":"1446377590381088768","staff_id":"LiYang","staff_ext_id":"e","handler_id":"LiHua","cc_list":["LiMei"],`+
			`"content":{"text":"t","pic":["https://e.example/a.png?s=1"]},"is_show":1,"attached_json":[{"type":"image","url":"https://e.example/b.png"}]}}`)
	}
	return all
}

// members are the places of one value each, as the text before it that is in
// every document once, and the value.
var members = map[string]string{
	"id": `"m1"`, "corp_id": `"1704174310933890049"`, "create_time": "1640244967.924", "type": `"event"`, "event": `"work_order_change"`,
	"retry_count": "0", "seq": "1", "order_no": `"1446377590381088768"`, "staff_id": `"LiYang"`, "staff_ext_id": `"e"`, "handler_id": `"LiHua"`,
	"cc_list": `["LiMei"]`, "content": `{"text":"t","pic":["https://e.example/a.png?s=1"]}`, "text": `"t"`, "pic": `["https://e.example/a.png?s=1"]`,
	"is_show": "1", "attached_json": `[{"type":"image","url":"https://e.example/b.png"}]`, "url": `"https://e.example/b.png"`,
}

// values are the JSON of anything.
func values() *rapid.Generator[string] {
	quote := func(s string) string {
		b, _ := json.Marshal(s) // a string always encodes
		return string(b)
	}
	scalars := rapid.OneOf(
		rapid.SampledFrom([]string{
			"null", "true", "false", `""`, `" "`, `"\ud800"`, "\"\x01\"", "\"\xff\"", `"\u200b"`, "1e400", "-0", "1e1000000000", `"1446377590381088769"`, "1.5",
			`"work_order_change "`, `"unrecognised"`, `"[]"`, `"{\"a\":[1]}"`, `"{\"a\":1,\"a\":2}"`, `{"a":1,"a":2}`, strings.Repeat("9", 60), `"工单"`, strings.Repeat("[", 80) + strings.Repeat("]", 80),
		}),
		rapid.Custom(func(t *rapid.T) string { return quote(rapid.String().Draw(t, "text")) }),
		rapid.Custom(func(t *rapid.T) string { return strconv.FormatInt(rapid.Int64().Draw(t, "n"), 10) }),
		rapid.Custom(func(t *rapid.T) string { return quote(strconv.FormatInt(rapid.Int64().Draw(t, "n"), 10)) }),
	)
	list := func(of *rapid.Generator[string]) *rapid.Generator[string] {
		return rapid.OneOf(of,
			rapid.Map(rapid.SliceOfN(of, 0, 3), func(all []string) string { return "[" + strings.Join(all, ",") + "]" }),
			rapid.Map(rapid.SliceOfN(of, 0, 3), func(all []string) string {
				for i := range all {
					all[i] = strconv.Quote(string(rune('a'+i/2))) + ":" + all[i] // some names twice
				}
				return "{" + strings.Join(all, ",") + "}"
			}),
		)
	}
	return list(list(scalars))
}

// Any JSON in any member of the documented callbacks, once: the event goes to its
// order's own subject, or is marked as one whose order cannot be told, which only
// the number, what holds it and the event itself can bring about. It is never
// published for subscribers alone.
func TestAnyValueInAnyMemberReachesItsOrder(t *testing.T) {
	var s shelf
	var log bytes.Buffer
	e := endpoint(t, &s, &log, func(o *ingest.Options) { o.MaxBody = 1 << 20 })
	names := make([]string, 0, len(members)+2)
	for name := range members {
		names = append(names, name)
	}
	names = append(names, "status", "msg_data")
	every := rapid.SampledFrom(names)
	value := values()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom(documents()).Draw(rt, "callback")
		name, v := every.Draw(rt, "member"), value.Draw(rt, "value")
		text = replaced(text, name, v)
		q, body := signed(t, key, corp, text)
		log.Reset()
		if w := post(t, e, "/weiban/acme", q, body); w.Code != 200 {
			rt.Fatalf("%s: %d %s", text, w.Code, log.String())
		}
		ev, err := events.Decode(s.last.ContentType, s.last.Data)
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		route, err := events.ParseRoute(s.last.Subject)
		var word string
		if err != nil && name == "event" && json.Unmarshal([]byte(v), &word) == nil && ev.Type() != "com.weibanzhushou.unrecognised.raw.v1" {
			return // another event's word, and Weiban's own
		}
		if err != nil {
			rt.Fatalf("%s in %s: published only, on %s", v, name, s.last.Subject)
		}
		why := events.Extension(ev, events.ExtUnnumbered)
		switch {
		case strings.HasPrefix(route.Key, weiban.Unnumbered) != (why != ""):
			rt.Fatalf("%s in %s: key %s, unnumbered %q", v, name, route.Key, why)
		case name != "order_no" && name != "msg_data" && name != "event" && route.Key != "1446377590381088768":
			rt.Fatalf("%s in %s: went to %s, unnumbered %q", v, name, route.Key, why)
		case why != "":
			return
		}
		if n, err := weiban.ParseNotice(ev.Data()); err != nil || n.Key != route.Key {
			rt.Fatalf("%s in %s: went to %s, and its data says %s, %v", v, name, route.Key, n.Key, err)
		}
		if strings.Contains(log.String(), `"cause":`) {
			rt.Fatalf("%s in %s: its data breaks its schema: %s", v, name, log.String())
		}
	})
}

// replaced is a callback with another value of one member.
func replaced(text, name, v string) string {
	switch name {
	case "msg_data":
		head, _, _ := strings.Cut(text, `"msg_data":`)
		return head + `"msg_data":` + v + "}"
	case "status":
		head, rest, _ := strings.Cut(text, `"status":`)
		_, rest, _ = strings.Cut(rest, ",")
		return head + `"status":` + v + "," + rest
	}
	return strings.Replace(text, fmt.Sprintf("%q:%s", name, members[name]), fmt.Sprintf("%q:%s", name, v), 1)
}
