package mapping

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/schemas"
)

func TestMatchExample(t *testing.T) {
	m := load(t, example, Options{})
	if len(m.Hash()) != 16 {
		t.Errorf("hash %q", m.Hash())
	}
	if x, err := m.Match(input(t, "create")); x != nil || err != nil {
		t.Errorf("a creation matches %v, %v", x, err)
	}
	x, err := m.Match(input(t, "close"))
	if err != nil {
		t.Fatal(err)
	}
	ref, err := x.Bill()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(BillRef{OrderNo: billNo, Wait: 30 * time.Minute}, ref); diff != "" {
		t.Error(diff)
	}
	if x.Rule() != "close" || x.Late() != Letter {
		t.Errorf("rule %s, late %s", x.Rule(), x.Late())
	}
	got, err := x.Body(bill, ref.OrderNo)
	if err != nil {
		t.Fatal(err)
	}
	photo := func(name string) kingdee.Photo {
		return kingdee.Photo{URL: "https://wework.qpic.cn/wwpic/" + name, Name: name}
	}
	want := kingdee.HandleOrder{ID: bill, Body: kingdee.Body{
		OrderNo: billNo, StartDate: "2025-07-17 12:00:00", EndDate: "2025-07-17 18:11:41",
		HandlerID: "1697009251337127937", DeptID: "1697221606960547840", Status: "H", ComboField: "H", Hours: "6.19",
		Progress: "100", CauseID: "1895123256688528389", SolutionID: "1895123523051994117", ResultID: "2028468841138471936",
		Note: "更换密封圈，试机正常", Address: "苏州市工业园区星湖街1号", Helpers: []kingdee.Helper{{ID: "1697009251337127936"}},
		PhotosPre: []kingdee.Photo{photo("before-1.jpg")}, PhotosAfter: []kingdee.Photo{photo("after-1.jpg"), photo("after-2.png")},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// TestBodyIsWhatIsSent checks what the mapping promises: the connector's own
// JSON of a mapped body satisfies the schema.
func TestBodyIsWhatIsSent(t *testing.T) {
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, example, Options{})
	for _, name := range []string{"switch", "close"} {
		x, err := m.Match(input(t, name))
		if err != nil {
			t.Fatal(err)
		}
		order, err := x.Body(bill, billNo)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(order)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.CheckJSON("handle-order", raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBodyFailures(t *testing.T) {
	type short struct{ Field, Expr, Word, Reason string }
	tests := map[string]struct {
		body string
		want []short
	}{
		"a missing row": {
			`handlemanid: ${lookup("staff", callback.cc_list[1])}`,
			[]short{{"handlemanid", `lookup("staff", callback.cc_list[1])`, "Nobody", `rule "close" cannot work out handlemanid (处理人): table staff has no row "Nobody"`}},
		},
		"an empty cell, and a table without the row": {
			`handlemanid: ${lookup("staff", "LiYang")}
			 handledeptid: ${lookup("extra", "LiYang")}`,
			[]short{
				{"handledeptid", `lookup("extra", "LiYang")`, "LiYang", `rule "close" cannot work out handledeptid (部门): table extra has no row "LiYang"`},
				{"handlemanid", `lookup("staff", "LiYang")`, "LiYang", `rule "close" cannot work out handlemanid (处理人): table staff has no value for "LiYang"`},
			},
		},
		"an empty component": {
			`clsmid: ${component("附件")}`,
			[]short{{"clsmid", `component("附件")`, "附件", `rule "close" cannot work out clsmid (处理说明): nothing was filled in under the form component: "附件"`}},
		},
		"an empty text for a required field": {
			`wtyyid: ${work_order.stage_name}`,
			[]short{{"wtyyid", "work_order.stage_name", "", `rule "close": wtyyid (问题原因) cannot be ""; expected Kingdee's id: digits, as text`}},
		},
		"a required field left out": {
			`wtyyid: ${optional.none()}`,
			[]short{{"wtyyid", "optional.none()", "", `rule "close": wtyyid (问题原因) is missing; expected Kingdee's id: digits, as text`}},
		},
		"an end before its start": {
			`handleedate: ${kingdeeTime(work_order.created_at)}`,
			[]short{{"handleedate", "kingdeeTime(work_order.created_at)", "", `rule "close": handleedate is before handlesdate: 2025-07-17 08:00:00 and 2025-07-17 08:11:41; expected an end that is not before the start`}},
		},
		"free text is not shown": {
			`clsmid: ${join(work_order.processing_flows.map(f, "` + strings.Repeat("密", 500) + `"), "")}`,
			[]short{{"clsmid", `join(work_order.processing_flows.map(f, "` + strings.Repeat("密", 500) + `"), "")`, "", `rule "close": clsmid (处理说明) does not fit; expected free text of at most 2000 characters`}},
		},
		"an item of a list": {
			`labs: ${callback.cc_list.map(c, {"id": c})}`,
			[]short{
				{"labs[0].id", `callback.cc_list.map(c, {"id": c})`, "LiYang", `rule "close": id (处理人) cannot be "LiYang"; expected Kingdee's id: digits, as text`},
				{"labs[1].id", `callback.cc_list.map(c, {"id": c})`, "Nobody", `rule "close": id (处理人) cannot be "Nobody"; expected Kingdee's id: digits, as text`},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := try(t, parse(t, tt.body, "", Options{}))
			f := events.FailureOf(err)
			if f == nil || f.Kind != events.Unmapped || f.Rule != "close" || f.Field != tt.want[0].Field || f.Word != tt.want[0].Word {
				t.Errorf("failure %+v", f)
			}
			var got []short
			for _, f := range FailuresOf(err) {
				got = append(got, short{f.Field, f.Expr, f.Word, f.Reason})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if n := len(tt.want); n > 1 && !strings.Contains(f.Reason, "and 1 more: "+tt.want[1].Field) {
				t.Errorf("the first does not name the others: %s", f.Reason)
			}
		})
	}
}

func TestBillFailures(t *testing.T) {
	for _, tt := range []struct{ expr, word, reason string }{
		{`orderNo: '${component("金蝶单号")}'`, "金蝶单号", `rule "close" cannot work out bill.orderNo: the form has "金蝶工单号" and no component: "金蝶单号"`},
		{`orderNo: '${work_order.stage_name}'`, "", `rule "close" cannot work out bill.orderNo: it gives an empty text`},
		{`orderNo: '${work_order.title + " 1"}'`, "冲压机漏油 1", `rule "close" cannot work out bill.orderNo: that is no bill's number: "冲压机漏油 1"`},
		{`orderNo: '${"无"}'`, "无", `rule "close" cannot work out bill.orderNo: that is no bill's number: it has no digit and no letter of a to z: "无"`},
		{`orderNo: '${"fwgs-1、fwgs-2"}'`, "fwgs-1、fwgs-2", `rule "close" cannot work out bill.orderNo: that is more than one bill's number: "fwgs-1、fwgs-2"`},
		{`orderNo: '${"fwgs-1"}', pattern: "fwgs-[0-9]{8}"`, "fwgs-1", `rule "close" cannot work out bill.orderNo: that is no bill's number by bill.pattern fwgs-[0-9]{8}: "fwgs-1"`},
		{`orderNo: '${fail("只填一个")}'`, "", `rule "close" cannot work out bill.orderNo: 只填一个`},
		{`id: '${work_order.title}'`, "冲压机漏油", `rule "close" cannot work out bill.id: the bill's id is not digits: "冲压机漏油"`},
	} {
		src := strings.Replace(ruleFile("", ""), `orderNo: '${component("金蝶工单号")}'`, tt.expr, 1)
		m, err := Parse("m.yaml", []byte(src), os.ReadFile, Options{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := m.Match(input(t, "close"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Bill()
		f := events.FailureOf(err)
		if err == nil || f.Kind != events.Unmapped || f.Word != tt.word || f.Reason != tt.reason {
			t.Errorf("%s: %+v", tt.expr, f)
		}
	}
}

func TestOtherwiseAndBrokenCondition(t *testing.T) {
	m := parse(t, "", "otherwise: letter", Options{})
	if x, err := m.Match(input(t, "create")); x != nil || events.KindOf(err) != events.Unmapped {
		t.Errorf("otherwise: letter gives %v, %v", x, err)
	}
	src := strings.Replace(ruleFile("", ""), `callback.status == "close"`, `component("附件") == "1"`, 1)
	m, err := Parse("m.yaml", []byte(src), os.ReadFile, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Match(input(t, "close"))
	if f := events.FailureOf(err); x != nil || f == nil || f.Field != "when" || f.Word != "附件" {
		t.Errorf("a condition that cannot be worked out: %v, %v", x, err)
	}
}

// TestOverlay: what operators add goes before the mapping's own rows, a column
// at a time, and takes effect at once.
func TestOverlay(t *testing.T) {
	o := &overlay{rows: map[string]table.Row{}}
	m := parse(t, "handlemanid: ${lookup(\"staff\", \"LiHua\")}\nhandledeptid: ${lookup(\"staff\", \"LiHua\", \"dept\")}\nwtyyid: ${lookup(\"extra\", \"x\")}", "", Options{Tables: o})
	if _, err := try(t, m); events.FailureOf(err).Word != "x" {
		t.Fatalf("before: %v", err)
	}
	o.set("extra", "x", textRow("77"))
	o.set("staff", "LiHua", table.NewRow([]string{"emp"}, []string{"99"}))
	got, err := try(t, m)
	if err != nil {
		t.Fatal(err)
	}
	if b := got.Body; b.CauseID != "77" || b.HandlerID != "99" || b.DeptID != "2" {
		t.Errorf("body %+v", b)
	}
}

// TestHostile: an expression that costs too much, and one that takes too long,
// are stopped and named.
func TestHostile(t *testing.T) {
	tables := "    # a list to loop over\n"
	hostile := `${join([1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20].map(a, string([1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20].map(b, "` +
		strings.Repeat("x", 900) + `" + string(a * b)).size())), "")}`
	for name, tt := range map[string]struct {
		cost     uint64
		deadline time.Duration
		want     string
	}{
		"cost":     {5000, deadline, "it costs too much"},
		"deadline": {1 << 60, time.Nanosecond, "it takes too long"},
	} {
		t.Run(name, func(t *testing.T) {
			language, err := newLanguage(tt.cost, tt.deadline)
			if err != nil {
				t.Fatal(err)
			}
			_, err = try(t, parse(t, "clsmid: "+hostile, tables, Options{Language: language}))
			f := events.FailureOf(err)
			if f == nil || f.Kind != events.Unmapped || f.Field != "clsmid" || !strings.HasPrefix(f.Expr, "join([1") || !strings.Contains(f.Reason, tt.want) {
				t.Errorf("failure %+v", f)
			}
		})
	}
}

func TestOpportunity(t *testing.T) {
	src := `version: 1
rules:
  - name: won
    noun: opportunity
    when: opportunity.stage.is_end
    bill: {id: '${component("金蝶单据")}'}
    body:
      handlesdate: ${kingdeeTime(opportunity.created_at)}
      handleedate: ${kingdeeTime(opportunity.stage_update_time)}
      handlemanid: ${opportunity.staff_ext_id}
      handledeptid: ${opportunity.department_ext_id}
      wxztid: H
      processid: ${progress(opportunity.stage.index, 4)}
      wtyyid: 1
      clfaid: 2
      cljgid: 3
      clsmid: ${string(div(opportunity.expect_amount, 100)) + " 元"}
`
	m, err := Parse("m.yaml", []byte(src), os.ReadFile, Options{})
	if err != nil {
		t.Fatal(err)
	}
	data := events.Enriched{
		Callback: json.RawMessage(`{"id":"p1","event":"opportunity_change","status":"update","create_time":1752710400,"msg_data":{"opportunity_id":77}}`),
		Opportunity: json.RawMessage(`{"id":77,"created_at":1752710400,"stage_update_time":1752714000,"staff_ext_id":"501","department_ext_id":"601",
			"expect_amount":123450,"stage":{"index":3,"is_end":true},"property_list":[{"field_name":"金蝶单据","value":2230413444614467584}]}`),
	}
	got := m.Try(Meta{Noun: events.Opportunity}, data, BillRef{OrderNo: billNo})
	if got.Verdict != Mapped {
		t.Fatalf("%+v", got)
	}
	if got.Bill.ID != bill || got.fields["clsmid"] != "1234.5 元" || got.fields["processid"] != "75" || got.fields["orderNo"] != billNo {
		t.Errorf("bill %+v, fields %v", got.Bill, got.fields)
	}
	// A work order is none of this mapping's business.
	if x, err := m.Match(input(t, "close")); x != nil || err != nil {
		t.Errorf("a work order matches %v, %v", x, err)
	}
}

func TestInvalidInput(t *testing.T) {
	good := enriched(t, "close")
	for name, change := range map[string]func(*events.Enriched, *Meta){
		"callback":      func(e *events.Enriched, _ *Meta) { e.Callback = json.RawMessage(`{"event":1}`) },
		"no work order": func(e *events.Enriched, _ *Meta) { e.WorkOrder = nil },
		"work order":    func(e *events.Enriched, _ *Meta) { e.WorkOrder = json.RawMessage(`[3]`) },
		"noun":          func(_ *events.Enriched, m *Meta) { m.Noun = "meeting" },
	} {
		e, m := good, Meta{Noun: events.WorkOrder}
		change(&e, &m)
		var f *events.Failure
		if _, err := NewInput(m, e); !errors.As(err, &f) || f.Kind != events.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConcurrentUse is for the race detector: a mapping serves all orders.
func TestConcurrentUse(t *testing.T) {
	m := load(t, example, Options{})
	in := input(t, "close")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				x, err := m.Match(in)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := x.Body(bill, billNo); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
