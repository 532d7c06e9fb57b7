package fakekingdee

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/testwing/fakevendor"
)

// filled has six records of the page's bill, remarks r0 to r5, and one of the
// other bill.
func filled(t *testing.T, o Options) (*Server, *caller) {
	t.Helper()
	s := newServer(t, o)
	c := newCaller(s)
	other, _ := s.Bill("fwgs-20250605-00000002")
	for i := range 6 {
		c.post(APIHandle, order(pageBill(), fmt.Sprintf("r%d", i)))
	}
	c.post(APIHandle, order(other, "r100%"))
	return s, c
}

// ask makes a loadList and gives total and the values of one member.
func ask(c *caller, member, fields string) (total string, got []string, a map[string]any) {
	_, a = c.post(APIList, []byte("{"+fields+"}"))
	rows, _ := a["data"].([]any)
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.(map[string]any)[member]))
	}
	return text(a["total"]), got, a
}

const (
	records = `"entityName":"wg_deal_record"`
	ofPage  = `"andQfilters":[{"property":"sourcebillno","cp":"=","value":"fwgs-20250605-00000001"}]`
)

func TestLoadListSelects(t *testing.T) {
	_, c := filled(t, Options{})
	tests := map[string]struct {
		fields string
		total  string
		want   string
	}{
		"all":               {records, "7", "r0 r1 r2 r3 r4 r5 r100%"},
		"of a bill":         {records + "," + ofPage, "6", "r0 r1 r2 r3 r4 r5"},
		"newest first":      {records + "," + ofPage + `,"orderBy":"billno desc"`, "6", "r5 r4 r3 r2 r1 r0"},
		"by two keys":       {records + `,"orderBy":"sourcebillno DESC, billno"`, "7", "r100% r0 r1 r2 r3 r4 r5"},
		"a page":            {records + "," + ofPage + `,"pageindex":2,"pagesize":4`, "6", "r4 r5"},
		"a page as text":    {records + "," + ofPage + `,"pageindex":"2","pagesize":"4"`, "6", "r4 r5"},
		"beyond":            {records + "," + ofPage + `,"pageindex":9,"pagesize":4`, "6", ""},
		"page 0 is page 1":  {records + "," + ofPage + `,"pageindex":0,"pagesize":1`, "6", "r0"},
		"like":              {records + `,"andQfilters":[{"property":"remark","cp":"like","value":"%5"}]`, "1", "r5"},
		"like without %":    {records + `,"andQfilters":[{"property":"remark","cp":"like","value":"r"}]`, "0", ""},
		"both":              {records + `,"andQfilters":[{"property":"remark","cp":"like","value":"r%"},{"property":"emp.name","cp":"=","value":"李洋"},{"property":"remark","cp":"=","value":"r1"}]`, "1", "r1"},
		"either":            {records + `,"orQfilters":[{"property":"remark","cp":"=","value":"r1"},{"property":"remark","cp":"=","value":"r3"}]`, "2", "r1 r3"},
		"by reference":      {records + `,"andQfilters":[{"property":"emp","cp":"=","value":"1697009251337127936"}]`, "7", "r0 r1 r2 r3 r4 r5 r100%"},
		"by hours":          {records + `,"andQfilters":[{"property":"workinghours","cp":"=","value":10}]`, "7", "r0 r1 r2 r3 r4 r5 r100%"},
		"unknown bill":      {records + `,"andQfilters":[{"property":"sourcebillno","cp":"=","value":"x"}]`, "0", ""},
		"contradiction":     {records + `,"andQfilters":[{"property":"sourcebillno","cp":"=","value":"fwgs-20250605-00000001"},{"property":"sourcebillno","cp":"=","value":"fwgs-20250605-00000002"}]`, "0", ""},
		"count":             {records + "," + ofPage + `,"onlyCount":true`, "6", ""},
		"empty filter list": {records + `,"andQfilters":[],"orQfilters":null`, "7", "r0 r1 r2 r3 r4 r5 r100%"},
	}
	for name, tt := range tests {
		total, got, a := ask(c, "remark", tt.fields)
		if total != tt.total || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: total %s, %v, want %s, %s (%v)", name, total, got, tt.total, tt.want, a["message"])
		}
	}
}

func TestLoadListRefuses(t *testing.T) {
	_, c := filled(t, Options{})
	for name, fields := range map[string]string{
		"no entity":          `"pagesize":1`,
		"unknown entity":     `"entityName":"wg_bd_customer_inh"`,
		"unknown property":   records + `,"selectProperties":"billno,createdate"`,
		"unknown part":       records + `,"selectProperties":"emp.mobile"`,
		"unknown filter":     records + `,"andQfilters":[{"property":"orderNo","cp":"=","value":"x"}]`,
		"unknown or":         records + `,"orQfilters":[{"property":"orderNo","cp":"=","value":"x"}]`,
		"unknown order":      records + `,"orderBy":"created desc"`,
		"order of no sense":  records + `,"orderBy":"billno down"`,
		"comparison":         records + `,"andQfilters":[{"property":"billno","cp":">","value":"x"}]`,
		"filters as object":  records + `,"andQfilters":{}`,
		"or of wrong things": records + `,"orQfilters":["x"]`,
	} {
		if _, _, a := ask(c, "id", fields); a["success"] != false {
			t.Errorf("%s: %v", name, a)
		}
	}
}

func TestLoadListShowsReferences(t *testing.T) {
	s, c := filled(t, Options{})
	_, _, a := ask(c, "id", records+`,"pagesize":1,"selectProperties":"billno,emp,mulemp,dept.name"`)
	id := s.Records("")[0].ID
	want := `[{"billno":"` + s.Records("")[0].BillNo + `","dept.name":"售后中心华东","emp":"1697009251337127936","id":"` + id + `","mulemp":[{"fbasedataid_id":"2234984992394486784"}]}]`
	if got := string(fakevendor.Encode(a["data"])); got != want {
		t.Errorf("plain %s, want %s", got, want)
	}
	_, _, a = ask(c, "id", records+`,"pagesize":1,"level":"1","selectProperties":"emp,mulemp,wg_reason"`)
	want = `[{"emp":{"id":"1697009251337127936","name":"李洋","number":"EMP001"},"id":"` + id + `",` +
		`"mulemp":[{"fbasedataid":{"id":"2234984992394486784","name":"协助人员","number":"EMP099"},"fbasedataid_id":"2234984992394486784"}],` +
		`"wg_reason":{"id":"1895123256688528389","name":"配件老化","number":"WTYY001"}}]`
	if got := string(fakevendor.Encode(a["data"])); got != want {
		t.Errorf("expanded %s, want %s", got, want)
	}
	_, _, a = ask(c, "id", `"entityName":"wg_service_workorder","level":"1","andQfilters":[{"property":"billno","cp":"=","value":"fwgs-20250605-00000002"}],"selectProperties":"id,billstatus,completionprogress,dealman,dispatchman,servicecustomer.name,material_entity.qty"`)
	want = `[{"billstatus":"F","completionprogress":"2","dealman":{"id":"1697009251337127936","name":"李洋","number":"EMP001"},"dispatchman":null,` +
		`"id":"2230413444614467999","material_entity.qty":[],"servicecustomer.name":"李洋"}]`
	if got := string(fakevendor.Encode(a["data"])); got != want {
		t.Errorf("bill %s, want %s", got, want)
	}
}

func TestLoadListShapes(t *testing.T) {
	_, c := filled(t, Options{ListShape: ListRows})
	for shape, name := range map[ListShape]string{ListRows: "rows", ListList: "list", ListItems: "items"} {
		c.s.SetListShape(shape)
		_, a := c.post(APIList, []byte("{"+records+"}"))
		data := a["data"].(map[string]any)
		if rows, ok := data[name].([]any); !ok || len(rows) != 7 || text(data["total"]) != "7" {
			t.Errorf("shape %s: %v", name, a)
		}
	}
	c.s.SetListShape(ListOdd)
	if _, a := c.post(APIList, []byte("{"+records+"}")); a["success"] != true || a["data"] != nil || a["total"] != nil {
		t.Errorf("odd: %v", a)
	}
}

func TestPagesAreSilentlyCut(t *testing.T) {
	_, c := filled(t, Options{MaxPage: 3})
	if total, got, _ := ask(c, "remark", records+`,"pagesize":50`); len(got) != 3 || total != "7" {
		t.Errorf("total %s, %v", total, got)
	}
}

func TestLoadData(t *testing.T) {
	s, c := filled(t, Options{})
	record := s.Records("")[3]
	for body, want := range map[string]string{
		`{"entityName":"wg_service_workorder","id":"2230413444614467584","selectProperties":"billno"}`: `{"billno":"fwgs-20250605-00000001","id":"2230413444614467584"}`,
		`{"entityName":"wg_deal_record","id":"` + record.ID + `","selectProperties":"remark"}`:         `{"id":"` + record.ID + `","remark":"r3"}`,
		`{"entityName":"wg_service_workorder","id":"1"}`:                                               `null`,
		`{"entityName":"wg_deal_record","id":"2230413444614467584"}`:                                   `null`,
		`{"entityName":"nothing","id":"1"}`:                                                            `null`,
		`{"entityName":"wg_deal_record","id":"1","selectProperties":"x"}`:                              `null`,
	} {
		_, a := c.post(APIData, []byte(body))
		if got := string(fakevendor.Encode(a["data"])); got != want || (want == "null") != (a["success"] == false) {
			t.Errorf("%s: %v", body, a)
		}
	}
}

func TestNewRecordsAreHiddenForALag(t *testing.T) {
	k := newClock()
	s, c := filled(t, Options{Clock: k.Now, ReadLag: 10 * time.Second})
	k.Advance(10*time.Second - 1)
	if total, _, _ := ask(c, "id", records); total != "0" || len(s.Records("")) != 7 {
		t.Errorf("%s records are seen too early", total)
	}
	k.Advance(1)
	if total, _, _ := ask(c, "id", records); total != "7" {
		t.Errorf("%s records are seen after the lag", total)
	}
}

// A pattern means the same as the regular expression that says it.
func TestLikeIsARegularExpression(t *testing.T) {
	letters := rapid.StringOfN(rapid.RuneFrom([]rune("ab单%")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		word := strings.ReplaceAll(letters.Draw(t, "word"), "%", "")
		pattern := letters.Draw(t, "pattern")
		quoted := strings.Split(pattern, "%")
		for i := range quoted {
			quoted[i] = regexp.QuoteMeta(quoted[i])
		}
		want := regexp.MustCompile("^" + strings.Join(quoted, ".*") + "$").MatchString(word)
		if got := like(word, pattern); got != want {
			t.Fatalf("like(%q, %q) = %v, want %v", word, pattern, got, want)
		}
	})
}

// Every answer of every selection is JSON, and never more rows than the page.
func FuzzLoadList(f *testing.F) {
	f.Add(`{"entityName":"wg_deal_record","pageindex":1,"pagesize":50,"level":"1","orderBy":"billno desc"}`)
	f.Add(`{"entityName":"wg_service_workorder","selectProperties":"dealman.name,material_entity.qty","andQfilters":[{"property":"x.y.z","cp":"like","value":"%"}]}`)
	f.Add(`{"entityName":"wg_deal_record","pageindex":99999999999,"pagesize":-1,"orQfilters":[{"property":"emp","cp":"=","value":null}]}`)
	s := New(Options{Limits: Limits{PerMinute: 1 << 30, Minute: time.Minute}, Seed: 1})
	c := newCaller(s)
	s.AddBill(pageBill())
	for range 3 {
		c.post(APIHandle, order(pageBill(), "r"))
	}
	f.Fuzz(func(t *testing.T, body string) {
		status, a := c.post(APIList, []byte(body))
		if status != 200 || a == nil {
			t.Errorf("answered %d %v", status, a)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Error(err)
		}
	})
}

func TestKnownSampleBase(t *testing.T) {
	b := SampleBase()
	seen := map[string]bool{}
	for _, in := range [][]Item{b.Employees, b.Departments, b.Reasons, b.Schemes, b.Results} {
		for _, it := range in {
			if len(it.ID) != 19 || it.Name == "" || it.Number == "" || seen[it.ID] {
				t.Errorf("item %+v", it)
			}
			seen[it.ID] = true
		}
	}
	if it, ok := find(b.Employees, "7"); ok || it != (Item{ID: "7"}) {
		t.Errorf("an unknown item is %+v", it)
	}
	if diff := cmp.Diff("李洋", b.Employees[0].Name); diff != "" {
		t.Error(diff)
	}
}
