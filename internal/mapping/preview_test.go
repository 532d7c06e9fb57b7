package mapping

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/table"
)

// changed is the example with one text replaced, its tables read from deploy.
func changed(t *testing.T, from, to string) *Mapping {
	t.Helper()
	src, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(example, []byte(strings.Replace(string(src), from, to, 1)), os.ReadFile, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func records(t *testing.T) []Recorded {
	var out []Recorded
	for _, name := range []string{"create", "switch", "close"} {
		out = append(out, Recorded{Meta: Meta{ID: name, Noun: events.WorkOrder, Status: name}, Key: "7", Data: enriched(t, name)})
	}
	unknown := enriched(t, "close")
	unknown.Callback = json.RawMessage(strings.Replace(string(unknown.Callback), `"staff_id": "LiHua"`, `"staff_id": "ZhaoLiu"`, 1))
	return append(out, Recorded{Meta: Meta{ID: "unknown", Noun: events.WorkOrder, Status: "close"}, Key: "8", Data: unknown},
		Recorded{Meta: Meta{ID: "cut", Noun: events.WorkOrder}, Key: "9", Data: events.Enriched{Callback: json.RawMessage(`{`)}})
}

func TestPreview(t *testing.T) {
	m := changed(t, "wxztid: H # 处理完成", "wxztid: G")
	p := NewPreview(m, load(t, example, Options{}))
	var text []string
	for _, r := range records(t) {
		e := p.Add(r)
		text = append(text, e.String())
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
	}
	want := `7 create  ignored: no rule wants it  create
7 switch  mapped by rule switch  switch
7 close  mapped by rule close  close
  combofield (维修状态)
    - H
    + G
  wxztid (维修状态)
    - H
    + G
8 close  failed by rule close  unknown
  rule "close" cannot work out handlesdate (处理开始日期): no row of the order's history hands it to this staff member: "ZhaoLiu"
    ${kingdeeTime(flowStart(callback.staff_id))}
  rule "close" cannot work out handleedate (处理结束日期): no row of the order's history hands it to this staff member: "ZhaoLiu"
    ${kingdeeTime(flowEnd(callback.staff_id))}
  rule "close" cannot work out handlemanid (处理人): table staff has no row "ZhaoLiu"
    ${lookup("staff", callback.staff_id)}
  rule "close" cannot work out handledeptid (部门): table staff has no row "ZhaoLiu"
    ${lookup("staff", callback.staff_id, "dept")}
  rule "close" cannot work out diff (工时(小时)): no row of the order's history hands it to this staff member: "ZhaoLiu"
    ${round(hours(flowStart(callback.staff_id), flowEnd(callback.staff_id)), 2)}
9 -  failed  cut
  callback of the enriched event cannot be read`
	sorted := func(s string) map[string]bool {
		out := map[string]bool{}
		for line := range strings.SplitSeq(s, "\n") {
			out[line] = true
		}
		return out
	}
	if diff := cmp.Diff(sorted(want), sorted(strings.Join(text, "\n"))); diff != "" {
		t.Errorf("entries (-want +got):\n%s\n%s", diff, strings.Join(text, "\n"))
	}
	s := p.Summary()
	if s.Events != 5 || s.Mapped != 2 || s.Ignored != 1 || s.Failed != 2 || s.Same != 4 || s.Changed != 1 || s.Broken != 0 || len(s.Missing) != 6 {
		t.Errorf("summary %+v", s)
	}
	if text := s.String(); !strings.HasPrefix(text, "5 events: 2 mapped, 1 ignored, 2 failed\n  rule close: 2\n  rule switch: 1\nagainst the mapping in use: 4 the same, 1 changed (0 repaired, 0 broken, 0 no longer sent, 0 newly sent)\n1× ") {
		t.Errorf("summary\n%s", text)
	}
}

// TestPreviewRepair: the row that an operator adds repairs what lacked it.
func TestPreviewRepair(t *testing.T) {
	o := &overlay{rows: map[string]table.Row{}}
	inUse := parse(t, `handlemanid: ${lookup("staff", callback.cc_list[1])}`, "", Options{})
	m := parse(t, `handlemanid: ${lookup("staff", callback.cc_list[1])}`, "", Options{Tables: o})
	r := records(t)[2]
	if e := NewPreview(m, inUse).Add(r); e.Verdict != Failed || len(e.Diff) != 0 {
		t.Errorf("before: %s", e)
	}
	o.set("staff", "Nobody", textRow("99"))
	p := NewPreview(m, inUse)
	if e := p.Add(r); e.Verdict != Mapped || !strings.Contains(e.String(), "handlemanid (处理人)\n    - cannot be filled: ") {
		t.Errorf("after: %s", e)
	}
	q := NewPreview(inUse, m)
	q.Add(r)
	if s, s2 := p.Summary(), q.Summary(); s.Repaired != 1 || s2.Broken != 1 || s2.Missing[0].Word != "Nobody" || s2.Missing[0].First != "close" {
		t.Errorf("summaries %+v, %+v", s, s2)
	}
}

// TestPreviewBody: alone, a preview shows what would be sent, field by field, and
// Weiban's status also where the subject lacks it, as a letter's does.
func TestPreviewBody(t *testing.T) {
	r := records(t)[1]
	r.Meta.Status, r.Meta.Time = "", time.Date(2025, 7, 17, 4, 0, 0, 0, time.UTC)
	e := NewPreview(load(t, example, Options{}), nil).Add(r)
	want := r.Meta.Time.Local().Format(time.DateTime) + `  7 switch  mapped by rule switch  switch
  orderNo (服务工单单据编码): fwgs-20250717-00000001
  handlesdate (处理开始日期): 2025-07-17 08:11:41
  handleedate (处理结束日期): 2025-07-17 12:00:00
  handlemanid (处理人): 1697009251337127936
  handledeptid (部门): 1697221606960547840
  wxztid (维修状态): F
  combofield (维修状态): F
  diff (工时(小时)): 3.81
  processid (完成进度): 50
  wtyyid (问题原因): 1895123256688528389
  clfaid (处理方案): 1895123523051994117
  cljgid (处理结果): 2028468841138471936
  clsmid (处理说明): 需要密封圈，转李华
  handleAddress (地址): 苏州市工业园区星湖街1号
  attmentInforspre (处理前照片): [{"url":"https://wework.qpic.cn/wwpic/before-1.jpg","name":"before-1.jpg"}]`
	if diff := cmp.Diff(want, e.String()); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(e.Body), `"labs":[]`) {
		t.Errorf("a list that is not given is sent empty: %s", e.Body)
	}
}

// TestPreviewStops: where nothing is sent any more, no field is listed as gone, and
// the summary tells broken ones from those that no rule wants.
func TestPreviewStops(t *testing.T) {
	inUse, r := load(t, example, Options{}), records(t)[2]
	fields := func(e Entry) (names []string) {
		for _, d := range e.Diff {
			names = append(names, d.Field)
		}
		return names
	}
	broken := NewPreview(changed(t, `lookup("staff", callback.staff_id)`, `lookup("staff", "ZhaoLiu")`), inUse)
	if diff := cmp.Diff([]string{"(verdict)", "handlemanid"}, fields(broken.Add(r))); diff != "" {
		t.Errorf("broken (-want +got):\n%s", diff)
	}
	narrow := changed(t, `["close", "closed"]`, `["closed"]`)
	dropped, added := NewPreview(narrow, inUse), NewPreview(inUse, narrow)
	if diff := cmp.Diff([]string{"(rule)", "(verdict)"}, fields(dropped.Add(r))); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	added.Add(r)
	if b, d, a := broken.Summary(), dropped.Summary(), added.Summary(); b.Broken != 1 || d.Broken+a.Broken != 0 || d.Dropped != 1 || a.Added != 1 {
		t.Errorf("summaries\n%s\n%s\n%s", b, d, a)
	}
}

func TestSuggestions(t *testing.T) {
	m := load(t, example, Options{})
	s := NewSuggestions(m)
	in := input(t, "close")
	in.WorkOrder.HandlerID, in.WorkOrder.HandlerName = "ZhaoLiu", "赵六"
	in.WorkOrder.Components[2].Values = []string{"断电"}
	s.Add(in)
	s.Add(in)
	s.AddStaff(Staff{ID: "ZhaoLiu", Name: "赵 六", Department: "工程部\n二组"})
	s.AddStaff(Staff{ID: "SunQi", Name: "孙七", Department: "工程部"})
	s.AddStaff(Staff{ID: "LiYang", Name: "李阳"})
	s.AddStaff(Staff{})
	want := []Suggestion{
		{Table: "cause", Key: "断电", Component: "故障原因", Seen: 2},
		{Table: "staff", Key: "ZhaoLiu", Name: "赵六", Department: "工程部\n二组", Seen: 2},
		{Table: "staff", Key: "SunQi", Name: "孙七", Department: "工程部"},
	}
	got := s.Missing()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("suggestions (-want +got):\n%s", diff)
	}
	got = append(got, Suggestion{Table: "solution", Key: "换 #1", Component: "处理方案"}, Suggestion{Table: "result", Key: "x"})
	var b strings.Builder
	if err := m.WriteLines(&b, got); err != nil {
		t.Fatal(err)
	}
	lines := `# table cause (../../deploy/mapping/causes.csv)
# option,id
# answer to 故障原因 · seen 2×
断电,
# table staff (../../deploy/mapping/staff.csv)
# staff_id,emp,dept,name
# 赵六 · 工程部 二组 · seen 2×
ZhaoLiu,,,赵六
# 孙七 · 工程部
SunQi,,,孙七
# table solution (../../deploy/mapping/solutions.yaml)
"换 #1": "" # answer to 处理方案
# table result
"x": ""
`
	if diff := cmp.Diff(lines, b.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	// What they say can be read back where they are pasted.
	if _, err := table.ReadYAML("x.yaml", []byte(b.String()[strings.Index(b.String(), "# table solution"):])); err != nil {
		t.Error(err)
	}
	// What an operator has added is not suggested again.
	o := &overlay{rows: map[string]table.Row{}}
	o.set("staff", "SunQi", textRow("1"))
	again := NewSuggestions(load(t, example, Options{Tables: o}))
	again.AddStaff(Staff{ID: "SunQi"})
	if list := again.Missing(); len(list) != 0 {
		t.Errorf("suggested again: %v", list)
	}
}

func TestYAMLLineOfColumns(t *testing.T) {
	m := parse(t, "", "", Options{})
	var b strings.Builder
	if err := m.WriteLines(&b, []Suggestion{{Table: "staff", Key: "LiMei", Name: "李梅"}, {Table: "extra", Key: "a"}}); err != nil {
		t.Fatal(err)
	}
	want := "# table staff\n\"LiMei\": {\"emp\": \"\", \"dept\": \"\"} # 李梅\n# table extra\n\"a\": {\"id\": \"\"}\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
