package kingdee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/connectortest"
)

const order = "fwgs-20250605-00000001"

// record is a row of wg_deal_record as a server may write it.
func record(n int) string {
	return fmt.Sprintf(`{"id":"22304134446144%05d","billno":"CLJL-20250717-%08d","startdate":"2025-07-17 08:11:41","enddate":"2025-07-17 18:11:41",`+
		`"emp":{"id":"1697009251337127936","number":"E1","name":"李"},"dept":{"id":"1697221606960547840"},"combofield":"F",`+
		`"workinghours":10,"completionprogress":2,"remark":"处理说明 [%d]"}`, n, n, n)
}

func records(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = record(i)
	}
	return all
}

// The shapes that the answer of loadList may have.
var shapes = map[string]func(rows string, total int) string{
	"data": func(rows string, _ int) string { return `{"success":true,"errorCode":"success","data":[` + rows + `]}` },
	"data and total": func(rows string, n int) string {
		return fmt.Sprintf(`{"success":true,"data":[%s],"total":%d}`, rows, n)
	},
	"data.rows": func(rows string, _ int) string { return `{"success":true,"data":{"rows":[` + rows + `]}}` },
	"data.list": func(rows string, n int) string {
		return fmt.Sprintf(`{"success":true,"data":{"list":[%s],"total":"%d"}}`, rows, n)
	},
	"data.items": func(rows string, n int) string {
		return fmt.Sprintf(`{"success":true,"data":{"items":[%s],"totalCount":%d}}`, rows, n)
	},
	"null where none": func(rows string, n int) string {
		if n == 0 {
			return `{"success":true,"data":{"rows":null,"total":0}}`
		}
		return fmt.Sprintf(`{"success":true,"data":{"rows":[%s],"total":%d}}`, rows, n)
	},
}

// TestAllRecords: in every shape, however many there are and however the server
// cuts its pages, all records come, newest first, and no others.
func TestAllRecords(t *testing.T) {
	g := newGateway(t)
	c := g.client(func(o *Options) { o.UserID = "1" }).paged(10)
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			for _, allowed := range []int{10, 7, 100} {
				for _, n := range []int{0, 1, 6, 7, 8, 9, 10, 11, 20, 35} {
					g.on("loadList", rows(t, allowed, records(n), shape))
					got, err := c.DealRecords(t.Context(), order)
					if err != nil || len(got) != n {
						t.Fatalf("%d records in pages of %d: got %d, %v", n, allowed, len(got), err)
					}
					for i, d := range got {
						if want := fmt.Sprintf("CLJL-20250717-%08d", n-1-i); d.BillNo != want {
							t.Fatalf("record %d is %s, want %s", i, d.BillNo, want)
						}
					}
				}
			}
		})
	}
}

// TestRecordQuery: what is asked for, and how the row is read.
func TestRecordQuery(t *testing.T) {
	g := newGateway(t)
	c := g.client(func(o *Options) { o.UserID = "1" })
	g.on("loadList", rows(t, 100, records(1), shapes["data and total"]))
	got, err := c.DealRecords(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	want := []DealRecord{{
		ID: "2230413444614400000", BillNo: "CLJL-20250717-00000000", StartDate: "2025-07-17 08:11:41", EndDate: "2025-07-17 18:11:41",
		Emp: Ref{"1697009251337127936", "E1", "李"}, Dept: Ref{ID: "1697221606960547840"}, ComboField: "F",
		WorkingHours: "10", CompletionProgress: "2", Remark: "处理说明 [0]",
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(DealRecord{}, "Raw")); diff != "" {
		t.Error(diff)
	}
	wantBody := `{"entityName":"wg_deal_record","pageindex":1,"pagesize":50,` +
		`"selectProperties":"id,billno,startdate,enddate,emp,dept,combofield,workinghours,completionprogress,remark",` +
		`"andQfilters":[{"property":"sourcebillno","cp":"=","value":"` + order + `"}],"level":"1","orderBy":"billno desc"}`
	if diff := cmp.Diff(wantBody, g.bodies[len(g.bodies)-1]); diff != "" {
		t.Error(diff)
	}
}

// TestRowsDrift: a member that was not asked for, or is not given, is counted;
// how a reference is written is not.
func TestRowsDrift(t *testing.T) {
	g := newGateway(t)
	meter, counts := connectortest.Drifts(t)
	counter, err := drift.NewCounter(meter)
	if err != nil {
		t.Fatal(err)
	}
	c := g.client(func(o *Options) { o.UserID, o.Drift = "1", counter })
	for _, row := range []string{record(0), strings.NewReplacer(`"dept":{"id":"1697221606960547840"}`, `"dept_id":"1"`, `"remark"`, `"memo":"李","remark"`).Replace(record(1))} {
		g.on("loadList", rows(t, 100, []string{row}, shapes["data and total"]))
		if _, err := c.DealRecords(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	g.on("loadList", always(200, `{"success":true,"data":[{"id":"2","billno":"`+order+`","billstatus":"F"}]}`))
	if _, err := c.FindWorkOrder(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"kingdee deal_record unknown memo": 1, "kingdee bill gone completionprogress": 1}
	if diff := cmp.Diff(want, counts()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// TestNotUnderstood: an answer that does not plainly tell which records there are
// is a failure, and never "none" or fewer.
func TestNotUnderstood(t *testing.T) {
	yes := func(rest string) http.HandlerFunc {
		return always(200, `{"success":true,"errorCode":"success"`+rest+`}`)
	}
	for name, h := range map[string]http.HandlerFunc{
		"no data":                 yes(``),
		"null":                    yes(`,"data":null`),
		"a text":                  yes(`,"data":"操作成功"`),
		"an object":               yes(`,"data":{}`),
		"another list":            yes(`,"data":{"records":[]}`),
		"rows null":               yes(`,"data":{"rows":null}`),
		"rows null, some":         yes(`,"data":{"rows":null,"total":3}`),
		"rows an object":          yes(`,"data":{"rows":{"a":1}}`),
		"none, but counted":       yes(`,"data":[],"total":3`),
		"rows of numbers":         yes(`,"data":[1,2]`),
		"rows of null":            yes(`,"data":[null]`),
		"rows without identity":   yes(`,"data":[{"startdate":"2025-07-17 08:11:41"}]`),
		"rows without content":    yes(`,"data":[{"id":"1","number":"x"}],"total":1`),
		"times of a new kind":     yes(`,"data":[{"id":"1","startdate":"17. Juli 2025","remark":"x"}],"total":1`),
		"a remark that is a list": yes(`,"data":[{"id":"1","startdate":"2025-07-17 08:11:41","remark":["x"]}],"total":1`),
		"another bill":            yes(`,"data":[{"id":"1","startdate":"2025-07-17 08:11:41","sourcebillno":"fwgs-9"}],"total":1`),
		"fewer than counted":      rows(t, 100, records(5), func(rows string, n int) string { return shapes["data and total"](rows, n+1) }),
		"one full page for ever":  yes(`,"data":[` + strings.Join(records(10), ",") + `]`),
		"no end": func(w http.ResponseWriter, r *http.Request) {
			var q struct{ PageIndex int }
			_ = json.NewDecoder(r.Body).Decode(&q)
			var page []string
			for i := range 10 {
				page = append(page, record(q.PageIndex*10+i))
			}
			say(w, 200, shapes["data"](strings.Join(page, ","), 0))
		},
		"pages of changing size": func(w http.ResponseWriter, r *http.Request) {
			var q struct{ PageIndex, PageSize int }
			_ = json.NewDecoder(r.Body).Decode(&q)
			var page []string
			for i := range max(q.PageSize-1, 1) {
				page = append(page, record(q.PageIndex*100+i))
			}
			say(w, 200, shapes["data"](strings.Join(page, ","), 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.on("loadList", h)
			got, err := g.client(func(o *Options) { o.UserID = "1" }).paged(10).DealRecords(t.Context(), order)
			if !errors.Is(err, ErrNotUnderstood) || events.KindOf(err) != events.Invalid || got != nil {
				t.Errorf("%d records, %v", len(got), err)
			}
		})
	}
}

// TestIgnoredPaging: a server that gives everything on every page is understood.
func TestIgnoredPaging(t *testing.T) {
	g := newGateway(t)
	c := g.client(func(o *Options) { o.UserID = "1" }).paged(10)
	for _, n := range []int{3, 25} {
		g.on("loadList", always(200, shapes["data"](strings.Join(records(n), ","), 0)))
		if got, err := c.DealRecords(t.Context(), order); err != nil || len(got) != n {
			t.Errorf("%d of %d records, %v", len(got), n, err)
		}
	}
}

// TestFindWorkOrder: found by number and by id, not found, several, and answers
// that are about something else.
func TestFindWorkOrder(t *testing.T) {
	const bill = `{"id":2230413444614467584,"billno":"` + order + `","billstatus":"处理完成","completionprogress":100.00}`
	want := Bill{ID: "2230413444614467584", OrderNo: order, Status: "H", Progress: "100.00"}
	list := func(rows string) string { return `{"success":true,"data":[` + rows + `]}` }
	for _, tc := range []struct {
		name, body string
		kind       events.Kind
		cause      error
	}{
		{"found", list(bill), "", nil},
		{"found twice the same", list(bill + "," + bill), "", nil},
		{"none", list(""), events.Unmapped, ErrNoBill},
		{"several", list(bill + "," + strings.Replace(bill, "584", "585", 1)), events.Unmapped, nil},
		{"other bills", list(strings.ReplaceAll(strings.Replace(bill, "584", "585", 1), "00000001", "00000002")), events.Invalid, ErrNotUnderstood},
		{"no number", list(`{"id":"2230413444614467584"}`), events.Invalid, ErrNotUnderstood},
		{"not understood", `{"success":true,"data":{}}`, events.Invalid, ErrNotUnderstood},
		{"none, but counted", `{"success":true,"data":[],"total":1}`, events.Invalid, ErrNotUnderstood},
		{"refused", `{"success":false,"errorCode":"77","message":"no"}`, events.Rejected, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t)
			g.on("loadList", always(200, tc.body))
			c := g.client(func(o *Options) { o.UserID = "1" })
			for by, find := range map[string]func(context.Context, string) (Bill, error){order: c.FindWorkOrder, want.ID: c.FindWorkOrderByID} {
				got, err := find(t.Context(), by)
				if by == want.ID && tc.name == "several" {
					continue // an id has one bill
				}
				if events.KindOf(err) != tc.kind || (tc.cause != nil && !errors.Is(err, tc.cause)) {
					t.Errorf("by %s: %v", by, err)
				}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Bill{}, "Raw")); err == nil && diff != "" {
					t.Error(diff)
				}
				if _, err := find(t.Context(), ""); err == nil {
					t.Error("nothing was looked for, and found")
				}
			}
			if tc.name == "found" && !strings.Contains(strings.Join(g.bodies, ""), `"andQfilters":[{"property":"id","cp":"=","value":"`+want.ID+`"}]`) {
				t.Errorf("bodies %v", g.bodies)
			}
		})
	}
}

// TestMoment: the vendor's ways of writing a time, all in China.
func TestMoment(t *testing.T) {
	for in, want := range map[string]string{
		`"2025-07-17 08:11:41"`: "2025-07-17 08:11:41", `"2025-07-17 08:11:41.0"`: "2025-07-17 08:11:41",
		`"2025-07-17T08:11:41"`: "2025-07-17 08:11:41", `"2025-07-17T00:11:41Z"`: "2025-07-17 08:11:41",
		`"2025-07-17T08:11:41+08:00"`: "2025-07-17 08:11:41", `"2025-07-17T08:11:41+0800"`: "2025-07-17 08:11:41",
		`1752711101000`: "2025-07-17 08:11:41", `"1752711101000"`: "2025-07-17 08:11:41", `1752711101`: "2025-07-17 08:11:41",
		`"2025-07-17"`: "2025-07-17", `"2025-07-17 08:11"`: "2025-07-17 08:11:00", `""`: "", `null`: "",
		`"tomorrow"`: "!", `17`: "!", `[]`: "!", `"1e9"`: "!",
	} {
		dec := json.NewDecoder(strings.NewReader(in))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got, ok := moment(v)
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("moment(%s) = %q, want %q", in, got, want)
		}
	}
}

// TestMatches: when a record is what was sent, when not, and when nobody can say.
func TestMatches(t *testing.T) {
	sent := pageOrder().Body
	written := func(change ...string) row {
		v := map[string]any{
			"id": "1", "startdate": "2025-07-17 08:11:41", "enddate": json.Number("1752747101000"),
			"emp": map[string]any{"id": json.Number(sent.HandlerID)}, "combofield": "处理中", "remark": "x",
		}
		for i := 0; i < len(change); i += 2 {
			v[change[i]] = change[i+1]
		}
		return v
	}
	for _, tc := range []struct {
		name        string
		row         row
		same, known bool
	}{
		{"the same", written(), true, true},
		{"bare id", written("emp", sent.HandlerID), true, true},
		{"other start", written("startdate", "2025-07-17 08:11:42"), false, true},
		{"other end", written("enddate", "2025-07-18"), false, true},
		{"other handler", written("emp", "1697009251337127937"), false, true},
		{"other status", written("combofield", "H"), false, true},
		{"the day only", written("startdate", "2025-07-17"), false, false},
		{"a name for the handler", written("emp", "李"), false, false},
		{"no status", written("combofield", ""), false, false},
		{"no status, other start", written("combofield", "", "startdate", "2024-07-17 08:11:41"), false, true},
	} {
		d, why := recordOf(tc.row)
		if why != "" {
			t.Fatalf("%s: %s", tc.name, why)
		}
		if same, known := d.Matches(sent); same != tc.same || known != tc.known {
			t.Errorf("%s: same %v, known %v", tc.name, same, known)
		}
	}
}

// TestRefs: a reference in each way that it may be written.
func TestRefs(t *testing.T) {
	const id = "1697009251337127936"
	for _, tc := range []struct {
		row  row
		want Ref
	}{
		{row{"emp": map[string]any{"id": id, "number": "E1", "name": map[string]any{"zh_CN": "李"}}}, Ref{id, "E1", "李"}},
		{row{"emp": id}, Ref{ID: id}},
		{row{"emp": json.Number(id), "emp.name": "李", "emp.number": "E1"}, Ref{id, "E1", "李"}},
		{row{"emp_id": id, "emp": "李"}, Ref{ID: id, Name: "李"}},
		{row{"emp.id": json.Number(id)}, Ref{ID: id}},
		{row{"emp": "10086"}, Ref{Name: "10086"}},
		{row{}, Ref{}},
	} {
		if diff := cmp.Diff(tc.want, refOf(tc.row, "emp")); diff != "" {
			t.Errorf("%v: %s", tc.row, diff)
		}
	}
}

// TestNewestFirst: whichever of id, number and start there is, it is an order, and
// ids of different length are numbers.
func TestNewestFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) DealRecord {
			return DealRecord{ID: rapid.StringMatching(`[1-9][0-9]{0,3}`).Draw(t, name)}
		}
		a, b := draw("a"), draw("b")
		var x, y int
		if _, err := fmt.Sscan(a.ID, &x); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscan(b.ID, &y); err != nil {
			t.Fatal(err)
		}
		if got := newerFirst(a, b); (got < 0) != (x > y) || (got == 0) != (x == y) || newerFirst(b, a) != -got {
			t.Errorf("%s, %s: %d", a.ID, b.ID, got)
		}
	})
	if newerFirst(DealRecord{BillNo: "CLJL-2"}, DealRecord{BillNo: "CLJL-1", ID: "9"}) >= 0 || newerFirst(DealRecord{StartDate: "2"}, DealRecord{StartDate: "1"}) >= 0 {
		t.Error("without ids, number and start are not asked")
	}
}

// FuzzList: no answer crashes the reader, and none is read as records unless it
// holds a list or counts zero.
func FuzzList(f *testing.F) {
	for _, shape := range shapes {
		f.Add([]byte(shape(record(1)+","+record(2), 2)))
		f.Add([]byte(shape("", 0)))
	}
	f.Add([]byte(`{"success":true,"data":{"rows":{},"total":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := readEnvelope(body, weigusoft)
		if err != nil || !e.done {
			return
		}
		list, total, why := rowsOf(e.all)
		if why == "" && len(list) == 0 && total != 0 && !strings.Contains(string(body), "[") {
			t.Errorf("%q was read as no records", body)
		}
		for _, v := range list {
			r, ok := v.(map[string]any)
			if !ok {
				continue
			}
			d, why := recordOf(r)
			if why == "" && d.StartDate == "" && d.Remark == "" {
				t.Errorf("%q was understood", body)
			}
			_, _ = d.Matches(pageOrder().Body)
			_, _ = billOf(r)
		}
	})
}
