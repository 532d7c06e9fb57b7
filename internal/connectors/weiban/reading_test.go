package weiban

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// TestOddMembers: what one member of a work order is published as, what is kept
// beside it, and whether the order says that it could not be read.
func TestOddMembers(t *testing.T) {
	for _, tt := range []struct {
		member, sent string
		want         string // "" is left out
		kept         string // pointers in Original
		unread       bool
	}{
		{"button_operate", `[]`, `{}`, "/button_operate", false},
		{"button_operate", `""`, `{}`, "/button_operate", false},
		{"button_operate", `false`, `{}`, "/button_operate", false},
		{"button_operate", `null`, `null`, "", false},
		{"button_operate", `"{\"close\":\"1\"}"`, `{"close":"1"}`, "/button_operate", false},
		{"button_operate", `{"close":"no","share":1}`, `{"share":1}`, "/button_operate/close", false},
		{"button_operate", `[1]`, ``, "/button_operate", true},
		{"button_operate", `7`, ``, "/button_operate", true},
		{"processing_flows", `{}`, `[]`, "/processing_flows", false},
		{"processing_flows", `""`, `[]`, "/processing_flows", false},
		{"processing_flows", `null`, `null`, "", false},
		{"processing_flows", `[null,{"id":1}]`, `[null,{"id":1}]`, "", false},
		{"processing_flows", `{"10":{"id":3},"0":{"id":1},"2":{"id":2}}`, `[{"id":1},{"id":2},{"id":3}]`, "/processing_flows", false},
		{"processing_flows", `"[{\"id\":1}]"`, `[{"id":1}]`, "/processing_flows", false},
		{"processing_flows", `["{\"id\":1}",{"id":2,"cc_list":"a"}]`, `[{"id":1},{"id":2,"cc_list":"a"}]`, "/processing_flows/0", false},
		{"processing_flows", `[{"id":1},{"id":2,"type":"new","content":"<b>"}]`, `[{"id":1},{"content":"<b>","id":2}]`, "/processing_flows/1/type", false},
		{"processing_flows", `[{"id":1},7,{"type":[1]}]`, `[{"id":1},{}]`, "/processing_flows", true},
		{"processing_flows", `{"first":{}}`, ``, "/processing_flows", true},
		{"processing_flows", `[{"attached_json":"[{\"url\":\"u\"}]"},{"attached_json":{}}]`, `[{"attached_json":"[{\"url\":\"u\"}]"},{"attached_json":[]}]`, "/processing_flows/1/attached_json", false},
		{"processing_flows", `[{"attached_json":["u",[1]]}]`, `[{"attached_json":["u"]}]`, "/processing_flows/0/attached_json", false},
		{"work_order_component_record_list", `{"1":{"title":"电话"}}`, `[{"title":"电话"}]`, "/work_order_component_record_list", false},
		{"content", `[]`, `[]`, "", false},
		{"content", `"{\"text\":\"x\"}"`, `"{\"text\":\"x\"}"`, "", false},
		{"content", `["x"]`, ``, "/content", true},
		{"cc_list", `"LiMei"`, `"LiMei"`, "", false},
		{"status", `"10"`, `"10"`, "", false},
		{"status", `"new"`, ``, "/status", true},
		{"deleted", `"true"`, `"true"`, "", false},
		{"created_at", `"2021-12-17T19:43:02+08:00"`, `"2021-12-17T19:43:02+08:00"`, "", false},
		{"created_at", `"soon"`, ``, "/created_at", true},
		{"creator_id", `{"id":"LiMei"}`, ``, "/creator_id", true},
		{"extra", `{"a":[1,{"b":null}]}`, `{"a":[1,{"b":null}]}`, "", false},
	} {
		raw := json.RawMessage(`{"order_no":"1","` + tt.member + `":` + tt.sent + `}`)
		o, err := Read[WorkOrder](raw)
		if err != nil || o.Value.OrderNo != "1" {
			t.Errorf("%s %s: %v", tt.member, tt.sent, err)
			continue
		}
		members, _ := object(o.Raw)
		if got := string(members[tt.member]); got != tt.want {
			t.Errorf("%s %s: published as %s, want %s", tt.member, tt.sent, got, tt.want)
		}
		if kept := strings.Join(slices.Sorted(maps.Keys(o.Original)), " "); kept != tt.kept {
			t.Errorf("%s %s: kept %s, want %s", tt.member, tt.sent, kept, tt.kept)
		}
		if o.Value.IsUnread(tt.member) != tt.unread {
			t.Errorf("%s %s: unread %v", tt.member, tt.sent, !tt.unread)
		}
		if tt.kept == "" && !cmp.Equal(o.Raw, raw) {
			t.Errorf("%s %s: nothing is odd, and the bytes are others: %s", tt.member, tt.sent, o.Raw)
		}
	}
}

// A row's own members say what of them could not be read.
func TestUnreadOfARow(t *testing.T) {
	o, err := Read[WorkOrder](json.RawMessage(`{"processing_flows":[{"id":1,"type":2},{"id":2,"type":{}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	rows := o.Value.ProcessingFlows
	if rows[0].IsUnread("type") || !rows[1].IsUnread("type") || rows[1].ID != "2" || o.Value.IsUnread("processing_flows") {
		t.Errorf("%+v", rows)
	}
}

func TestReadTakesObjectsAlone(t *testing.T) {
	for _, raw := range []string{``, `null`, `[]`, `7`, `{`, `{"a":1,"a":2}`} {
		if _, err := Read[Opportunity](json.RawMessage(raw)); err == nil {
			t.Errorf("%s was read", raw)
		}
	}
}

// TestOrderNumberInEveryForm: a detail is that of the order that was asked for
// unless it says that it is another one's, and is published with its number as text.
func TestOrderNumberInEveryForm(t *testing.T) {
	v := newVendor(t)
	c := v.client(t, connectors.MemoryVault())
	for sent, kept := range map[string]bool{
		`"order_no":"` + orderNo + `"`:          false,
		`"order_no":" ` + orderNo + ` "`:        true,
		`"order_no":` + orderNo:                 true,
		`"order_no":1.471808049579560960e18`:    true,
		`"order_no":1471808049579561000`:        true, // rounded, as in the form's rows of the page's own example
		`"order_no":null`:                       true,
		`"order_no":""`:                         true,
		`"order_no":{"no":"` + orderNo + `"}`:   true,
		`"order_no":["` + orderNo + `"]`:        true,
		`"title":"x"`:                           false,
		`"order_no":true,"processing_flows":{}`: true,
	} {
		v.answers[APIWorkOrder] = saying("\ufeff" + `{"errcode":"0","errmsg":"ok","work_order":{` + sent + `}}` + "\n\x00\x00")
		d, err := c.WorkOrder(t.Context(), orderNo)
		if err != nil {
			t.Errorf("%s: %v", sent, err)
			continue
		}
		members, _ := object(d.Raw)
		if string(members["order_no"]) != `"`+orderNo+`"` || d.Value.OrderNo != orderNo || d.Value.IsUnread("order_no") {
			t.Errorf("%s: published as %s, read as %s", sent, members["order_no"], d.Value.OrderNo)
		}
		if (d.Original["/order_no"] != nil) != kept {
			t.Errorf("%s: kept %s", sent, d.Original)
		}
	}
}

// A success without a code is one where the order is there and nothing speaks
// against it; a token behind a byte order mark is one.
func TestAnswersWithSomethingAround(t *testing.T) {
	v := newVendor(t)
	v.answers["access_token/get"] = saying("\ufeff" + `{"errcode":0.0,"access_token":"t0ken-0/+=="}` + "\x00")
	for _, text := range []string{
		`{"work_order":{"order_no":"` + orderNo + `"}}`, `{"errcode":0,"work_order":"{\"order_no\":\"` + orderNo + `\"}"}`, `{"errcode":null,"errmsg":"OK","work_order":{"order_no":"` + orderNo + `"}}`,
		"\ufeff" + `{"errcode":0.0,"work_order":{"order_no":"` + orderNo + `"}}` + " \r\n\x00",
	} {
		v.answers[APIWorkOrder] = saying(text)
		if _, err := v.client(t, connectors.MemoryVault()).WorkOrder(t.Context(), orderNo); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// anyJSON draws a JSON value of any form.
func anyJSON(t *rapid.T, depth int) any {
	forms := 9
	if depth == 0 {
		forms = 7
	}
	switch rapid.IntRange(0, forms).Draw(t, "form") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return json.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-2]?[0-9])?`).Draw(t, "number"))
	case 3:
		return rapid.String().Draw(t, "text")
	case 4:
		return rapid.SampledFrom([]any{"", "0", "true", "[]", "{}", "null", `{"id":"1"}`, `[{"id":1}]`, "2025-07-17 18:11:41", "0001-01-01T00:00:00Z", []any{}, map[string]any{}}).Draw(t, "odd")
	case 5:
		return map[string]any{"0": anyJSON(t, 0), "2": anyJSON(t, 0)}
	case 6:
		b, err := json.Marshal(anyJSON(t, max(depth-1, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	case 7:
		return rapid.StringMatching(`[0-9]{1,25}`).Draw(t, "digits")
	case 8:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, anyJSON(t, depth-1))
		}
		return list
	default:
		members := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			members[rapid.SampledFrom([]string{"id", "text", "pic", "url", "x", "1"}).Draw(t, "name")] = anyJSON(t, depth-1)
		}
		return members
	}
}

// plantAny puts any JSON value in the place of one member or element of a tree.
func plantAny(t *rapid.T, tree any) (planted any) {
	var places []func(any)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				places = append(places, func(x any) { v[name] = x })
				walk(v[name])
			}
			places = append(places, func(x any) { v["of no type"] = x })
		case []any:
			for i := range v {
				places = append(places, func(x any) { v[i] = x })
				walk(v[i])
			}
		}
	}
	walk(tree)
	x := anyJSON(t, 3)
	places[rapid.IntRange(0, len(places)-1).Draw(t, "place")](x)
	return tree
}

// Any JSON value in any one member of the pages' examples is read, published in a
// form that reads the same and that nothing is odd in, and what was sent can be
// told from what is published.
func TestAnyValueInAnyMemberIsRead(t *testing.T) {
	t.Run("work order", func(t *testing.T) { readsAny[WorkOrder](t, "work_order.json", "work_order") })
	t.Run("opportunity", func(t *testing.T) { readsAny[Opportunity](t, "opportunity.json", "opportunity") })
}

func readsAny[T WorkOrder | Opportunity](t *testing.T, file, member string) {
	rapid.Check(t, func(rt *rapid.T) {
		_, example := page(t, file, member)
		raw := encoded(plantAny(rt, example))
		o, err := Read[T](raw)
		if err != nil {
			rt.Fatalf("%s: %v", raw, err)
		}
		again, err := Read[T](o.Raw)
		if err != nil || again.Original != nil || string(again.Raw) != string(o.Raw) {
			rt.Fatalf("what is published is odd: %v, %s", err, again.Original)
		}
		e := events.Enriched{WorkOrder: o.Raw, Opportunity: o.Raw, Original: map[string]json.RawMessage{}}
		for pointer, sent := range o.Original {
			e.Original["/work_order"+pointer], e.Original["/opportunity"+pointer] = sent, sent
		}
		e = e.AsSent()
		if diff := cmp.Diff(value(raw), value(e.WorkOrder)); diff != "" || string(e.Opportunity) != string(e.WorkOrder) {
			rt.Fatalf("what was sent is not what is told (-sent +told):\n%s", diff)
		}
		if (o.Original == nil) != (string(o.Raw) == string(raw)) {
			rt.Fatalf("kept %s, and published %s", o.Original, o.Raw)
		}
		if diff := cmp.Diff(loose(tree(t, o.Value)), loose(tree(t, again.Value))); diff != "" {
			rt.Fatalf("what is published reads otherwise (-read +read again):\n%s", diff)
		}
	})
}

func FuzzReadDetail(f *testing.F) {
	f.Add([]byte(`{"work_order":{"order_no":"1","created_at":1,"content":{"pic":[]},"work_order_component_record_list":[{"value":""}]}}`))
	f.Add([]byte(`{"work_order":{"processing_flows":{"0":{"attached_json":"[{}]"}},"button_operate":[],"content":"{}"},"opportunity":{"stage":"{}","property_list":[7]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		members, _ := object(b)
		o, err := Read[WorkOrder](members["work_order"])
		if sound := strictjson.Check(members["work_order"]) == nil && strings.HasPrefix(string(members["work_order"]), "{"); (err == nil) != sound {
			t.Fatalf("sound %v: %v", sound, err)
		}
		if err == nil && (strictjson.Check(o.Raw) != nil || o.Raw[0] != '{') {
			t.Fatalf("published: %s", o.Raw)
		}
		if x, err := Read[Opportunity](members["opportunity"]); err == nil && strictjson.Check(x.Raw) != nil {
			t.Fatalf("published: %s", x.Raw)
		}
	})
}
