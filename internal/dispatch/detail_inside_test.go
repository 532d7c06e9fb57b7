package dispatch

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/strictjson"
	"gongdan-bridge/internal/testwing/accounttest"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/schemas"
)

// oddJSON draws a JSON value of any form.
func oddJSON(t *rapid.T, depth int) any {
	switch rapid.IntRange(0, 4+2*min(depth, 1)).Draw(t, "form") {
	case 0:
		return rapid.SampledFrom([]any{nil, true, false, "", "[]", "{}", `{"0":{}}`, []any{}, map[string]any{}}).Draw(t, "empty")
	case 1:
		return json.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-2]?[0-9])?`).Draw(t, "number"))
	case 2:
		return rapid.StringMatching(`[0-9]{1,20}|20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00Z`).Draw(t, "digits")
	case 3:
		return rapid.String().Draw(t, "text")
	case 4:
		b, err := json.Marshal(oddJSON(t, max(depth-1, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	case 5:
		return []any{oddJSON(t, depth-1), oddJSON(t, depth-1)}
	default:
		return map[string]any{rapid.SampledFrom([]string{"0", "id", "text", "x<y"}).Draw(t, "name"): oddJSON(t, depth-1), "7": oddJSON(t, depth-1)}
	}
}

// places are the members and elements of a tree, each as what puts a value there.
func places(at string, v any, all map[string]func(any)) {
	put := func(name string, x any, set func(any)) {
		all[at+"/"+name] = set
		places(at+"/"+name, x, all)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			put(name, x, func(y any) { v[name] = y })
		}
	case []any:
		for i, x := range v {
			put(string(rune('0'+i)), x, func(y any) { v[i] = y })
		}
	}
}

// oddVendor is a Weiban that answers every detail with body.
func oddVendor(t *testing.T, body *[]byte) *weiban.Client {
	t.Helper()
	v := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "access_token/get") {
			_, _ = io.WriteString(w, `{"errcode":0,"access_token":"t"}`)
			return
		}
		_, _ = w.Write(*body)
	}))
	t.Cleanup(v.Close)
	account := accounttest.New(t, connectors.AccountOptions{Vendor: "weiban", Timeout: 5 * time.Second, Breaker: connectors.BreakerSettings{Failures: 1 << 30}})
	t.Cleanup(account.Close)
	return weiban.New(weiban.Options{BaseURL: v.URL, CorpID: "1", Secret: "s", Account: account, Vault: connectors.MemoryVault()})
}

// TestAnyDetailGoesOn: whatever JSON stands in one member of a detail, the detail
// becomes an enriched event that a mapping can read, unless it is the code, the
// order's object or its number.
func TestAnyDetailGoesOn(t *testing.T) {
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	o := ownerOf(t, bustest.New(t))
	o.d.o.Events = events.NewCodec(set)
	o.work.Events = o.d.o.Events
	var logged strings.Builder
	o.work.Log = slog.New(slog.NewTextHandler(&logged, nil))
	var body []byte
	o.work.Weiban, o.work.Quick = oddVendor(t, &body), wait.Quick{Tries: 1, Initial: time.Millisecond, Max: time.Millisecond}
	for _, tt := range []struct {
		noun     events.Noun
		file     string
		callback string
		number   string // of the answer's members
	}{
		{events.WorkOrder, "work_order", `{"id":"m","event":"work_order_change","status":"close","create_time":1639741382,"msg_data":{"order_no":"1471808049579560960","staff_id":"LiuYang"}}`, "/work_order/order_no"},
		{events.Opportunity, "opportunity", `{"id":"m","event":"opportunity_change","status":"update","create_time":1639741382,"msg_data":{"id":"ID"}}`, "/opportunity/id"},
	} {
		example, err := os.ReadFile("../connectors/weiban/testdata/" + tt.file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ Opportunity struct{ ID json.RawMessage } }
		if err := json.Unmarshal(example, &head); err != nil {
			t.Fatal(err)
		}
		m := callbackMessage(t, o, strings.Replace(tt.callback, "ID", strings.Trim(string(head.Opportunity.ID), `"`), 1))
		rapid.Check(t, func(rt *rapid.T) {
			tree, err := strictjson.Decode(example)
			if err != nil {
				rt.Fatal(err)
			}
			all := map[string]func(any){}
			places("", tree, all)
			at := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(rt, "place")
			all[at](oddJSON(rt, 3))
			if body, err = json.Marshal(tree); err != nil {
				rt.Fatal(err)
			}
			f := goesOn(rt, newActor(o, orders.ID{Noun: m.Notice.Noun, Key: m.Notice.Key}, false), m)
			if f != nil && at != "/errcode" && at != "/"+tt.file && at != tt.number {
				rt.Fatalf("%s: %v", at, f)
			}
		})
	}
	if logged.Len() > 0 {
		t.Errorf("an enriched event breaks its schema: %s", logged.String())
	}
}

// callbackMessage is a callback as stage enrich reads it.
func callbackMessage(t *testing.T, o *owner, text string) *orders.Message {
	t.Helper()
	n, err := weiban.ParseNotice([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	ev, err := events.NewCallback(t.Context(), events.Callback{
		Tenant: "acme", CorpID: "1", ID: n.ID, Event: n.Event, Status: n.Status, Key: n.Key, Time: n.CreateTime, Origin: events.FromCallback, Data: []byte(text),
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := o.d.o.Events.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	s := bus.Stored{Header: bus.Header{"Content-Type": {events.ContentType}}, Data: data, Sequence: 7, Time: time.Now()}
	m := orders.Read(events.Enrich, s, 0)
	if m.Fault != nil {
		t.Fatal(m.Fault)
	}
	return m
}

// goesOn enriches a message and reads what is published as a mapping does.
func goesOn(t *rapid.T, a *actor, m *orders.Message) *events.Failure {
	in, out, _ := a.work().Fetch(a.o.ctx, m, nil)
	if in.Failure != nil {
		return in.Failure
	}
	ev, err := events.Decode(out.ContentType, out.Data)
	if err != nil {
		t.Fatal(err)
	}
	data, err := events.DecodeEnriched(ev)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mapping.NewInput(mapping.Meta{Noun: m.Notice.Noun}, data); err != nil {
		t.Fatalf("no mapping can read it: %v", err)
	}
	return nil
}
