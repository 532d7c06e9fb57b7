package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/facts"
)

// planted is the facts of the example close as the bridge publishes it, whose work
// order came with other members.
func planted(t *testing.T, from, to string) *facts.Facts {
	t.Helper()
	b, err := os.ReadFile("../../../deploy/mapping/events/close.json")
	if err != nil {
		t.Fatal(err)
	}
	var e events.Enriched
	var sent bytes.Buffer
	if err := errors.Join(json.Unmarshal(b, &e), json.Compact(&sent, e.WorkOrder)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(sent.String(), from) {
		t.Fatalf("%s is not in the example", from)
	}
	o, err := weiban.Read[weiban.WorkOrder](json.RawMessage(strings.Replace(sent.String(), from, to, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e.WorkOrder, e.Original = o.Raw, map[string]json.RawMessage{}
	for pointer, was := range o.Original {
		e.Original["/work_order"+pointer] = was
	}
	f, err := facts.Decode(e, facts.Meta{ID: "e1", Tenant: "acme", Noun: events.WorkOrder})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestUnreadMembers: what an expression needs of a member that came in a form that
// cannot be read is no value, and the failure names the member. What it does not
// need does not matter.
func TestUnreadMembers(t *testing.T) {
	l := language(t)
	number, row, form := `"total_time":`, `"processing_flows":[`, `"work_order_component_record_list":[`
	for _, tt := range []struct{ from, to, expr, want string }{
		{number, `"total_time":"long","x":`, `string(work_order.total_time)`, "work_order.total_time was sent in a form that cannot be read"},
		{number, `"total_time":"long","x":`, `has(work_order.total_time) ? string(work_order.total_time) : "none"`, "work_order.total_time was sent"},
		{number, `"total_time":"long","x":`, `work_order.title`, ""},
		{number, `"total_time":"long","x":`, `raw.work_order.total_time`, ""},
		{number, `"total_time":" 60 ","x":`, `string(work_order.total_time)`, ""},
		{row, row + `7,`, `string(work_order.processing_flows.size())`, "work_order.processing_flows was sent"},
		{row, row + `7,`, `flow.id`, "no flow row can be tied"},
		{row, row + `7,`, `kingdeeTime(flowStart(callback.staff_id))`, "processing_flows was sent"},
		{row, row + `7,`, `string(picturesBefore().size())`, "processing_flows was sent"},
		{row, row + `7,`, `callback.staff_id`, ""},
		{row, row + `{"id":1,"to_id":{}},`, `kingdeeTime(flowStart(callback.staff_id))`, "processing_flows[0].to_id was sent"},
		{row, row + `{"id":1,"to_id":{}},`, `kingdeeTime(flowEnd(callback.staff_id))`, "processing_flows[0].to_id was sent"},
		{row, row + `{"id":1,"to_id":{}},`, `flow.id`, "no flow row can be tied"},
		{row, row + `{"id":1,"to_id":{}},`, `string(picturesBefore().size())`, ""},
		{row, row + `{"id":1,"attached_json":[[1]]},`, `string(picturesBefore().size())`, "processing_flows[0].attached_json was sent"},
		{row, row + `{"id":1,"point":{}},`, `kingdeeTime(flowStart(callback.staff_id)) + flow.id`, ""},
		{form, form + `7,`, `component("故障原因")`, ""},
		{form, form + `7,`, `component("没有")`, "work_order_component_record_list was sent"},
		{form, form + `7,`, `componentOr("没有", "none")`, "work_order_component_record_list was sent"},
	} {
		p, issues := l.Compile(tt.expr, spec(Text))
		if issues != nil {
			t.Errorf("%s: %+v", tt.expr, issues)
			continue
		}
		_, err := p.Eval(t.Context(), scope(t, l, planted(t, tt.from, tt.to)))
		var m *Missing
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s with %s: %v", tt.expr, tt.to, err)
		case tt.want != "" && (!errors.As(err, &m) || !strings.Contains(m.Reason, tt.want)):
			t.Errorf("%s with %s: %v, want %s", tt.expr, tt.to, err, tt.want)
		}
	}
}

// TestNumberThatCouldNotBeRead: a detail whose number came as a number is tied to
// its event all the same.
func TestNumberThatCouldNotBeRead(t *testing.T) {
	f := planted(t, `"title":`, `"x":1,"title":`)
	if f.Flow == nil {
		t.Fatal("the example ties no row")
	}
	e := events.Enriched{Callback: f.Raw.Callback, WorkOrder: f.Raw.WorkOrder, Original: map[string]json.RawMessage{"/work_order/order_no": json.RawMessage(`{}`)}}
	g, err := facts.Decode(e, facts.Meta{Noun: events.WorkOrder})
	if err != nil || g.Flow == nil || g.Flow.ID != f.Flow.ID {
		t.Errorf("%v: tied to %v", err, g)
	}
}
