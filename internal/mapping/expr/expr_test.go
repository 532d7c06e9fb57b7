package expr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/facts"
	"gongdan-bridge/internal/mapping/table"
)

func language(tb testing.TB) *Language {
	tb.Helper()
	l, err := New(Cost)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func spec(k Kind) Spec {
	return Spec{
		Noun: events.WorkOrder, Bill: true, Kind: k, Tables: []string{"staff"},
		Columns: func(t string) ([]string, bool) { return []string{"emp", "dept"}, t == "staff" },
	}
}

// closing is the facts of the example close.
func closing(tb testing.TB) *facts.Facts {
	tb.Helper()
	b, err := os.ReadFile("../../../deploy/mapping/events/close.json")
	if err != nil {
		tb.Fatal(err)
	}
	var e events.Enriched
	if err := json.Unmarshal(b, &e); err != nil {
		tb.Fatal(err)
	}
	f, err := facts.Decode(e, facts.Meta{ID: "e1", Tenant: "acme", Noun: events.WorkOrder, Time: time.Unix(1752747101, 0)})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func scope(tb testing.TB, l *Language, f *facts.Facts) *Scope {
	tb.Helper()
	t, err := table.ReadCSV("staff.csv", []byte("id,emp,dept\nLiHua,0123,9\nLiYang,0124,\n"))
	if err != nil {
		tb.Fatal(err)
	}
	s := l.Scope(f, nil, table.Set{"staff": t})
	s.SetBill(Bill{ID: "1", OrderNo: "no"})
	return s
}

// TestValues is what expressions give.
func TestValues(t *testing.T) {
	l := language(t)
	s := scope(t, l, closing(t))
	for _, tt := range []struct {
		kind   Kind
		source string
		want   any
	}{
		// variables
		{Text, `work_order.handler_id`, "LiHua"},
		{Text, `callback.content.text.size()`, "10"},
		{Text, `flow.type_name + " " + flow.id`, "关闭工单 114060"},
		{Text, `event.tenant + event.noun + event.status`, "acmework_orderclose"},
		{Text, `bill.orderNo + bill.id`, "no1"},
		{Text, `kingdeeTime(fetched_at)`, "2025-07-17 18:12:00"},
		{Text, `kingdeeTime(event.time)`, "2025-07-17 18:11:41"},
		{Text, `raw.work_order.id`, "26369"},
		{Text, `raw.callback.msg_data.staff_id`, "LiHua"},
		{Text, `raw.opportunity == null ? "none" : "some"`, "none"},
		{Text, `raw.work_order.work_order_component_record_list[0].corp_id`, "1653682321878942700"},
		{Text, `has(work_order.stage_name) ? work_order.stage_name : "no stage"`, "no stage"},
		{Text, `work_order.?stage_name.orValue("none")`, "none"},
		{Text, `work_order.?stage_name`, nil},
		{Text, `null`, nil},
		{Text, `optional.none()`, nil},
		{Text, `work_order.button_operate.reopen ? "a" : "b"`, "a"},
		{Bool, `work_order.deleted`, false},
		{Bool, `flow == null`, false},
		{Bool, `flow != null && flow.created_at > work_order.created_at`, true},
		{Bool, `callback.status in ["close", "closed"]`, true},
		{Bool, `work_order == work_order`, true},
		// form and tables
		{Text, `component("故障原因")`, "漏水"},
		{Text, `componentOr("没有", "x")`, "x"},
		{List, `components("附件")`, []any{}},
		{Text, `lookup("staff", work_order.handler_id)`, "0123"},
		{Text, `lookup("staff", " LiHua ", "dept")`, "9"},
		{Text, `lookupOr("staff", "LiMei", "0")`, "0"},
		{Text, `lookupOr("staff", "LiYang", "dept", "0")`, "0"},
		{Text, `lookupOr("staff", "LiYang", "emp", "0")`, "0124"},
		// steps and times
		{Text, `kingdeeTime(flowStart(callback.staff_id))`, "2025-07-17 12:00:00"},
		{Text, `kingdeeDate(flowEnd("LiYang"))`, "2025-07-17"},
		{Number, `hours(flowStart("LiYang"), flowEnd("LiYang"))`, json.Number("3.8052777778")},
		{Number, `hours(timestamp("2025-07-17T08:00:00Z"), timestamp("2025-07-17T18:00:00Z"))`, json.Number("10")},
		{Number, `round(hours(flowStart("LiYang"), flowEnd("LiYang")), 1)`, json.Number("3.8")},
		// decimals
		{Text, `add("0.1", "0.2")`, "0.3"},
		{Text, `sub(1, "0.9")`, "0.1"},
		{Text, `mul(3, "0.1")`, "0.3"},
		{Text, `div(1, 3)`, "0.3333333333"},
		{Text, `round("2.345", 2)`, "2.35"},
		{Text, `string(decimal("1.50"))`, "1.5"},
		{Number, `int(decimal("7.0")) + 1`, json.Number("8")},
		{Bool, `decimal("1.50") == decimal("1.5") && decimal(2) > decimal("1.5") && decimal("0.5") <= 1 && decimal("3") >= 3`, true},
		// texts
		{Text, `cut("工单处理完成", 2)`, "工单"},
		{Text, `cut("e\u0301a", 1)`, "e\u0301"},
		{Text, `cut("ab", 5)`, "ab"},
		{Text, `cut("👨‍👩‍👧‍👦🇨🇳a", 1)`, "👨‍👩‍👧‍👦"},
		{Text, `cut("👨‍👩‍👧‍👦🇨🇳a", 2)`, "👨‍👩‍👧‍👦🇨🇳"},
		{Text, `trim("  a ")`, "a"},
		{Text, `replace("a-b-c", "-", "")`, "abc"},
		{Text, `replace("abc", "", "x")`, "abc"},
		{Text, `join(split("a, b,,c", ","), "、")`, "a、b、c"},
		{Text, `join(callback.cc_list, " ")`, "LiYang Nobody"},
		{Text, `progress(100)`, "100"},
		{Text, `progress(work_order.template_step, 3)`, "66"},
		{Text, `progress(9, 3)`, "100"},
		// lists and objects
		{List, `callback.cc_list.filter(c, c != "Nobody").map(c, {"id": lookup("staff", c)})`, []any{map[string]any{"id": "0124"}}},
		{List, `picturesBefore()`, []any{map[string]any{"url": "https://wework.qpic.cn/wwpic/before-1.jpg", "name": "before-1.jpg"}}},
		{List, `pictures(["https://a.example/x.png", "y"])`, []any{map[string]any{"url": "https://a.example/x.png", "name": "x.png"}}},
		{List, `picturesAfter().map(p, p.name)`, []any{"after-1.jpg", "after-2.png"}},
		{Object, `{"id": "1", "n": [1, decimal("2.5"), true], ?"left": work_order.?stage_name}`, map[string]any{"id": "1", "n": []any{json.Number("1"), json.Number("2.5"), true}}},
		{Text, `work_order.processing_flows.filter(f, f.type == 1)[0].creator_id`, "WangQiang"},
	} {
		p, issues := l.Compile(tt.source, spec(tt.kind))
		if issues != nil {
			t.Errorf("%s: %+v", tt.source, issues)
			continue
		}
		got, err := p.Eval(context.Background(), s)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", tt.source, err, diff)
		}
	}
}

// TestNoValue is what expressions cannot know.
func TestNoValue(t *testing.T) {
	l := language(t)
	f := closing(t)
	f.Flow = nil
	s := scope(t, l, f)
	for _, tt := range []struct{ source, want string }{
		{`flow.to_id`, "no flow row can be tied to this event, so flow.to_id is not known"},
		{`string(flow.content.text.size())`, "no flow row can be tied to this event, so flow.content is not known"},
		{`kingdeeTime(work_order.processing_flows[9].created_at)`, "index out of bounds: 9"},
		{`raw.work_order.nothing`, "no such key: nothing"},
		{`lookup("staff", work_order.stage_name)`, "the word to look up in table staff is empty"},
		{`lookup("staff", "LiYang", "dept")`, `table staff has no dept for "LiYang"`},
		{`decimal("1,5")`, `not a number: "1,5"`},
		{`decimal("` + strings.Repeat("9", 41) + `")`, "a number of more than 40 characters"},
		{`div(1, 0)`, "a division by zero"},
		{`int(decimal("1.5")) + 1`, `not a whole number: "1.5"`},
		{`round(1, 11)`, "round takes 0 to 10 places"},
		{`cut("a", -1)`, "cut takes a length of 0 or more"},
		{`split("a", "")[0]`, "split takes a separator that is not empty"},
		{`progress(101)`, `progress takes 0 to 100: "101"`},
		{`progress(1, 0)`, "progress takes a step of at least 0 out of at least 1"},
		{`hours(fetched_at, work_order.created_at)`, "hours from a later to an earlier time"},
		{`kingdeeTime(flowStart("Nobody"))`, `no row of the order's history hands it to this staff member: "Nobody"`},
		{`replace("` + strings.Repeat("a", 2000) + `", "a", "` + strings.Repeat("b", 2000) + `")`, "replace makes a text of more than 64 KiB"},
		{`raw.work_order.title + "x" == "" ? raw.work_order : raw.work_order.content`, "gives an object where a text is wanted"},
		{`raw.work_order.deliver`, "gives true or false where a text is wanted"},
	} {
		p, issues := l.Compile(tt.source, spec(Text))
		if issues != nil {
			t.Errorf("%s: %+v", tt.source, issues)
			continue
		}
		v, err := p.Eval(context.Background(), s)
		if v != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", tt.source, v, err)
		}
	}
}

// TestTimesThatWereNotSent: a time that is not there is not 1970.
func TestTimesThatWereNotSent(t *testing.T) {
	l := language(t)
	f := closing(t)
	f.WorkOrder.UpdatedAt = 0
	f.Event.Time = time.Time{}
	s := scope(t, l, f)
	for source, want := range map[string]string{
		`kingdeeTime(work_order.updated_at)`: "updated_at was not sent",
		`kingdeeTime(event.time)`:            "time was not sent",
	} {
		p, issues := l.Compile(source, spec(Text))
		if issues != nil {
			t.Fatal(issues)
		}
		var m *Missing
		if _, err := p.Eval(context.Background(), s); !errors.As(err, &m) || m.Reason != want {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	l := language(b)
	s := scope(b, l, closing(b))
	for _, source := range []string{
		`work_order.handler_id`, `lookup("staff", work_order.handler_id)`, `component("故障原因")`,
		`kingdeeTime(flowStart(callback.staff_id))`, `work_order.processing_flows.filter(f, f.type == 1)[0].creator_id`,
	} {
		p, issues := l.Compile(source, spec(Text))
		if issues != nil {
			b.Fatal(issues)
		}
		b.Run(source, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(context.Background(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzCompile: whatever an integrator writes is an issue or a program that ends.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`work_order.title`, `lookup("staff", callback.staff_id, "dept")`, `[1,2].map(x, x)`, `"a" +`, `a.b.c[1]`, `flow.?content.?text`,
		`raw.work_order.x`, `{"a": 1}`, `cut(join(split(work_order.title, "漏"), "油"), 3)`, `round(mul("1e9", decimal(3)), 2)`,
	} {
		f.Add(s)
	}
	l, err := New(10_000)
	if err != nil {
		f.Fatal(err)
	}
	in := closing(f)
	f.Fuzz(func(t *testing.T, source string) {
		p, issues := l.Compile(source, spec(Text))
		if (p == nil) == (len(issues) == 0) {
			t.Fatalf("program %v, issues %v", p, issues)
		}
		for _, i := range issues {
			if i.Message == "" {
				t.Fatalf("an issue without words: %+v", i)
			}
		}
		if p == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		v, err := p.Eval(ctx, scope(t, l, in))
		if s, ok := v.(string); err == nil && v != nil && !ok {
			t.Fatalf("not a text: %v", fmt.Sprint(s, v))
		}
	})
}

// TestNeedsBillID: whatever is more than the bill's number needs the bill itself.
func TestNeedsBillID(t *testing.T) {
	l := language(t)
	for source, want := range map[string]bool{
		`bill.orderNo`:                          false,
		`bill.orderNo + "/" + work_order.title`: false,
		`has(bill.orderNo) ? "a" : "b"`:         false,
		`"no bill.id here"`:                     false,
		`bill.id`:                               true,
		`bill.orderNo + bill.id`:                true,
		`join(["x"].map(b, b + bill.id), "")`:   true,
		`bill == bill ? "a" : "b"`:              true,
		`work_order.id`:                         false,
	} {
		p, issues := l.Compile(source, spec(Text))
		if issues != nil {
			t.Fatalf("%s: %v", source, issues)
		}
		if p.NeedsBillID != want {
			t.Errorf("%s: %v, want %v", source, p.NeedsBillID, want)
		}
	}
}
