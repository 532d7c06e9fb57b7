package fakekingdee

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The page's request is taken, the answer is the page's, and the record holds
// what was sent.
func TestHandleOrderOfThePage(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	page := readFile(t, "handle-order-request.json")
	status, a := newCaller(s).post(APIHandle, page)
	if diff := cmp.Diff(object(readFile(t, "handle-order-answer.json")), a); diff != "" || status != 200 {
		t.Errorf("status %d, answer (-page +ours):\n%s", status, diff)
	}
	records := s.Records("")
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	const file = "https://tf.jdy.com/ierp/tempfile/download.do?configKey=redis.serversForCache.tempfile&id=tempfile-"
	want := DealRecord{
		Seq: 1, ID: records[0].ID, BillNo: "CLJL-20250717-00000001", OrderNo: "fwgs-20250605-00000001", At: c.Now(),
		Start: "2025-07-17 08:11:41", End: "2025-07-17 18:11:41", HandlerID: "1697009251337127936", DeptID: "1697221606960547840",
		Status: "F", Hours: 10, Progress: "2", ReasonID: "1895123256688528389", SchemeID: "1895123523051994117",
		ResultID: "2028468841138471936", Remark: "处理说明", Others: []string{"2234984992394486784"}, Body: string(page),
		Before: []Picture{{file + "d216cbc4-c434-42a1-87ec-3b10341d306a", "-01353.png"}},
		After:  []Picture{{file + "a814cf4c-c040-4e7a-9e31-550d67b766f1", "背景图.png"}},
	}
	if diff := cmp.Diff(want, records[0]); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	bill, _ := s.Bill("fwgs-20250605-00000001")
	got := []any{bill.Status, bill.Progress, bill.HandlerID, bill.Hours, bill.CompletedAt}
	if diff := cmp.Diff([]any{"F", "2", "1697009251337127936", 10.0, ""}, got); diff != "" {
		t.Errorf("bill (-want +got):\n%s", diff)
	}
}

// What was handled at one account set is there at the one that adopts it, and what
// is handled there afterwards takes no id of it.
func TestAdopt(t *testing.T) {
	from := newServer(t, Options{})
	if got := verdict(newCaller(from).post(APIHandle, readFile(t, "handle-order-request.json"))); got != "ok" {
		t.Fatal(got)
	}
	s := New(Options{})
	s.Adopt(from)
	if diff := cmp.Diff(from.Records(""), s.Records("")); diff != "" {
		t.Errorf("records (-from +adopted):\n%s", diff)
	}
	if diff := cmp.Diff(from.Bills(), s.Bills()); diff != "" {
		t.Errorf("bills (-from +adopted):\n%s", diff)
	}
	if got := verdict(newCaller(s).post(APIHandle, readFile(t, "handle-order-request.json"))); got != "ok" {
		t.Fatal(got)
	}
	r := s.Records("")
	if len(r) != 2 || r[0].ID == r[1].ID || r[0].BillNo == r[1].BillNo || r[1].Seq != 2 {
		t.Errorf("records after one more call: %+v", r)
	}
}

// The same call again is a second record; H completes the bill; the numbers of
// the records start anew each day of China.
func TestEveryCallLeavesARecord(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	call := func(status string) {
		t.Helper()
		body := changed(nil, func(_, body map[string]any) { body["wxztid"], body["combofield"] = status, status })
		if got := verdict(newCaller(s).post(APIHandle, body)); got != "ok" {
			t.Errorf("%s: %s", status, got)
		}
	}
	call("F")
	call("F")
	c.Advance(14 * time.Hour) // midnight in China
	call("H")
	var nos []string
	for _, r := range s.Records("fwgs-20250605-00000001") {
		nos = append(nos, r.BillNo)
	}
	if diff := cmp.Diff([]string{"CLJL-20250717-00000001", "CLJL-20250717-00000002", "CLJL-20250718-00000001"}, nos); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if b, _ := s.Bill("fwgs-20250605-00000001"); b.Status != "H" || b.Hours != 30 || b.CompletedAt != "2025-07-17 18:11:41" {
		t.Errorf("bill %+v", b)
	}
	call("G")
	if b, _ := s.Bill("fwgs-20250605-00000001"); b.Status != "G" || b.CompletedAt != "" {
		t.Errorf("bill %+v", b)
	}
}

// Whatever the page demands is demanded, in the vendor's tongue, and nothing
// changes.
func TestHandleOrderRefuses(t *testing.T) {
	s := newServer(t, Options{})
	in := func(name string, value any) func(top, body map[string]any) {
		return func(_, body map[string]any) {
			if body[name] = value; value == "gone" {
				delete(body, name)
			}
		}
	}
	top := func(name string, value any) func(top, body map[string]any) {
		return func(top, _ map[string]any) {
			if top[name] = value; value == "gone" {
				delete(top, name)
			}
		}
	}
	tests := map[string]struct {
		change func(top, body map[string]any)
		want   string
	}{
		"no entity":           {top("entity", "gone"), "entity"},
		"other flag":          {top("flag", "dispatch-order"), "flag"},
		"body as text":        {top("body_", "{}"), "body_"},
		"no id":               {top("id", "gone"), "服务工单不存在"},
		"id of another bill":  {top("id", "2230413444614467999"), "服务工单不存在"},
		"unknown order":       {in("orderNo", "fwgs-1"), "服务工单不存在"},
		"start without time":  {in("handlesdate", "2025-07-17"), "handlesdate日期格式"},
		"end in RFC 3339":     {in("handleedate", "2025-07-17T18:11:41+08:00"), "handleedate日期格式"},
		"end before start":    {in("handleedate", "2025-07-17 08:11:40"), "不能早于"},
		"status as word":      {in("wxztid", "处理中"), "wxztid"},
		"two statuses":        {in("combofield", "H"), "不一致"},
		"progress as number":  {in("processid", 2), "processid必须为字符串"},
		"progress as word":    {in("processid", "half"), "processid必须为数字"},
		"progress below 0":    {in("processid", "-1"), "不能小于0"},
		"hours as text":       {in("diff", "10"), "diff"},
		"hours null":          {in("diff", nil), "diff"},
		"hours beyond sense":  {in("diff", -1), "工时"},
		"note as number":      {in("clsmid", 1), "clsmid"},
		"others as text":      {in("labs", "1"), "labs"},
		"others as ids":       {in("labs", []any{"1"}), "labs"},
		"other unknown":       {in("labs", []any{map[string]any{"id": "1"}}), "其他处理人不存在"},
		"handler unknown":     {in("handlemanid", "1"), "处理人不存在"},
		"handler as number":   {in("handlemanid", 1697009251337127936), "handlemanid必须为字符串"},
		"department unknown":  {in("handledeptid", "1"), "部门不存在"},
		"cause unknown":       {in("wtyyid", "1"), "问题原因不存在"},
		"solution unknown":    {in("clfaid", "1"), "处理方案不存在"},
		"result unknown":      {in("cljgid", "1"), "处理结果不存在"},
		"photo without name":  {in("attmentInforspre", []any{map[string]any{"url": "https://tf.jdy.com/a"}}), "照片必须"},
		"photo elsewhere":     {in("attmentInforsafter", []any{map[string]any{"url": "https://weiban.example/a", "name": "a"}}), "照片地址无效"},
		"photo of other name": {in("attmentInforsafter", []any{map[string]any{"url": "http://tf.jdy.com/a", "name": "a"}}), "照片地址无效"},
	}
	for _, name := range []string{
		"orderNo", "handlesdate", "handleedate", "handlemanid", "handledeptid", "wxztid",
		"combofield", "processid", "wtyyid", "clfaid", "cljgid",
	} {
		for _, value := range []any{"gone", "", nil} {
			tests[fmt.Sprintf("%s %v", name, value)] = struct {
				change func(top, body map[string]any)
				want   string
			}{in(name, value), name + "不能为空"}
		}
	}
	for name, tt := range tests {
		status, a := newCaller(s).post(APIHandle, changed(nil, tt.change))
		if said := text(a["message"]); status != 200 || a["success"] != false || a["status"] != false || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %d %v, want %s", name, status, a, tt.want)
		}
	}
	if n := len(s.Records("")); n != 0 {
		t.Errorf("%d records of refused calls", n)
	}
	if b, _ := s.Bill("fwgs-20250605-00000001"); b.Status != StatusNotHandled {
		t.Errorf("a refused call made the bill %s", b.Status)
	}
	if n := len(s.Arrivals("")); n != len(tests) {
		t.Errorf("%d arrivals of %d calls", n, len(tests))
	}
}

func TestHandleOrderTakesLess(t *testing.T) {
	s := newServer(t, Options{AnyReference: true, ForeignPictures: true})
	body := changed(nil, func(top, body map[string]any) {
		for _, name := range []string{"clsmid", "diff", "handleAddress", "labs", "lat", "lgt", "attmentInforspre", "attmentInforsafter"} {
			delete(body, name)
		}
		body["handlemanid"], body["processid"], body["handleedate"] = "1", "0", body["handlesdate"]
		top["pageindex"], top["pagesize"] = 1, 10
		body["attmentInforspre"] = []any{map[string]any{"url": "https://weiban.example/a", "name": "a"}}
	})
	if got := verdict(newCaller(s).post(APIHandle, body)); got != "ok" {
		t.Errorf("the least that the page demands: %s", got)
	}
}

func TestClosedBills(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		s := newServer(t, Options{RefuseClosed: refuse})
		if err := s.SetStatus("fwgs-20250605-00000001", StatusDone); err != nil {
			t.Fatal(err)
		}
		_, a := newCaller(s).post(APIHandle, order(pageBill(), ""))
		if a["success"] == refuse {
			t.Errorf("refuse %v: %v", refuse, a)
		}
	}
	if err := newServer(t, Options{}).SetStatus("none", "H"); err == nil {
		t.Error("the status of no bill was set")
	}
}

// Many callers at once: one record for each call, in one order, for the race
// detector too.
func TestArrivalsAreInOrder(t *testing.T) {
	s := newServer(t, Options{Limits: Limits{PerMinute: 10_000, TokensPerMinute: 2, Minute: time.Minute}})
	bills := s.Seed(4, func(i int) string { return fmt.Sprintf("fwgs-20250606-%08d", i) })
	var lanes sync.WaitGroup
	for lane, b := range bills {
		lanes.Go(func() {
			c := newCaller(s)
			for n := range 25 {
				if got := verdict(c.post(APIHandle, order(b, fmt.Sprintf("第%d次 [wb:%d-%d]", n, lane, n)))); got != "ok" {
					t.Errorf("call %d of bill %d: %s", n, lane, got)
				}
				c.post(APIList, []byte(`{"entityName":"wg_deal_record"}`))
				s.Bills()
				s.Calls()
				s.Breaches()
			}
		})
	}
	lanes.Wait()
	for i, r := range s.Records("") {
		if r.Seq != i+1 {
			t.Fatalf("record %d arrived as %d", i, r.Seq)
		}
	}
	for lane, b := range bills {
		for n, a := range s.Arrivals(b.OrderNo) {
			if want := fmt.Sprintf("第%d次 [wb:%d-%d]", n, lane, n); a.Remark != want || a.Refusal != "" {
				t.Fatalf("arrival %d of %s is %+v", n, b.OrderNo, a)
			}
		}
		if n := len(s.Records(b.OrderNo)); n != 25 {
			t.Errorf("%d records of %s", n, b.OrderNo)
		}
	}
	markers := s.CountBy(func(r DealRecord) string {
		_, marker, _ := strings.Cut(r.Remark, "[wb:")
		return marker
	})
	if len(markers) != 100 || markers["2-7]"] != 1 || s.WithRemark("[wb:1-") != 25 {
		t.Errorf("%d markers, %d of bill 1", len(markers), s.WithRemark("[wb:1-"))
	}
	if got := s.Calls()[APIHandle]; got != (Calls{Total: 100, OK: 100}) {
		t.Errorf("counts %+v", got)
	}
}

// Nothing that a body may hold upsets the simulator, and only what is accepted
// leaves a record.
func FuzzHandleOrder(f *testing.F) {
	f.Add(changed(nil, func(top, body map[string]any) {}))
	f.Add([]byte(`{"entity":"","flag":"handle-order","body_":{"labs":[null,{"id":1}],"diff":1e999}}`))
	f.Add([]byte(`{"id":{},"flag":[],"body_":{"attmentInforspre":[[]],"processid":"1e9"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newServer(t, Options{})
		got := verdict(newCaller(s).post(APIHandle, body))
		if records := len(s.Records("")); (got == "ok") != (records == 1) {
			t.Errorf("%s with %d records", got, records)
		}
	})
}
