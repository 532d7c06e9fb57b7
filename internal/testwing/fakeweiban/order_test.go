package fakeweiban

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/testwing/fakevendor"
)

// The order of the vendor's page comes out as the page has it, member for
// member and digit for digit.
func TestDetailIsThePagesExample(t *testing.T) {
	const long = "超长昵称你怕了吗怕了吗怕了吗怕了吗怕了吗怕了吗怕了吗怕了吗怕了吗"
	at := time.Unix(1639741382, 0)
	s := newServer(t, Options{Staff: []Staff{{
		ID: "LiuYang", Name: long,
		Avatar: "http://wework.qpic.cn/wwhead/duc2TvpEgSSWiaVLaJnssacHwZYrZyrx6ocrKgLEf8jujEW7QUaFwm8gLKUP8wJAxKPyUIp4RaOI/0",
	}}})
	row := Flow{CreatorID: "LiuYang", HandlerID: "LiuYang", Show: true, CreatedAt: at}
	waits, made := row, row
	waits.ID, waits.Type, waits.ToID, waits.Text = 114049, FlowPending, "LiuYang", "待员工 "+long+" 处理"
	made.ID, made.Type, made.Text = 113921, FlowCreated, "员工"+long+"已为客户大大怪创建了工单"
	component := func(i int64, kind, title string, answers ...string) Component {
		return Component{
			ID: 125825 + 128*i, ComponentID: 15745 + 128*i, Type: kind, Title: title, Sort: 6 + int(i), Answers: answers, At: at,
		}
	}
	s.Put(Order{
		ID: 26369, OrderNo: "1471808049579560960", Title: "2021年12月17日19:42:43", Text: "2021年12月17日19:42:45",
		Status: Pending, TemplateID: 62081, TemplateStep: 1, TemplateTitle: "鬼鬼", CreatorID: "LiuYang", HandlerID: "LiuYang",
		Relation: Relation{
			Type: 1, ID: "wm8xjUCAAAjzIxv1bnZErBXWZgBV2RBg", Name: "大大怪",
			Avatar: "http://wx.qlogo.cn/mmhead/Q3auHgzwzM6zorW37WoZ1KkmibpmJQo53Cicwg69nHv8NqJJ1JLrcFsw/0",
		},
		CreatedAt: at, UpdatedAt: at, Flows: []Flow{waits, made},
		Components: []Component{
			component(0, "file", "附件"), component(1, "selectMultiple", "多拉下选框"), component(2, "checked", "多选项"),
			component(3, "input", "电话", "45645645632"), component(4, "select", "城市", "上海"),
		},
	})
	status, got := get(s, APIOrder, token(t, s), "order_no", "1471808049579560960")
	if diff := cmp.Diff(readJSON(t, "work-order-page.json"), got); diff != "" || status != 200 {
		t.Errorf("status %d, detail (-page +ours):\n%s", status, diff)
	}
}

// Every member of the opportunity page is there, none is beyond, and each has
// the type that the page shows, or null.
func TestOpportunityHasThePagesShape(t *testing.T) {
	s := newServer(t, Options{})
	o, err := s.AddOpportunity(Opportunity{Name: "空调采购", StaffID: "LiYang", Amount: 1_280_000, Customer: "王晓明"})
	if err != nil {
		t.Fatal(err)
	}
	_, got := get(s, APIOpportunity, token(t, s), "serial_number", o.SerialNumber)
	for _, fault := range unlike("", readJSON(t, "opportunity-page.json"), got) {
		t.Error(fault)
	}
	deal := got["opportunity"].(map[string]any)
	if id := fmt.Sprint(o.ID); deal["id"] != json.Number(id) || o.ID < 1<<53 {
		t.Errorf("id %v, want the exact number %s above 2^53", deal["id"], id)
	}
}

// unlike compares two JSON values by shape. The page's values are made up, so a
// null on either side fits everything.
func unlike(path string, page, ours any) (faults []string) {
	if page == nil || ours == nil {
		return nil
	}
	if reflect.TypeOf(page) != reflect.TypeOf(ours) {
		return []string{fmt.Sprintf("%s is a %T, on the page a %T", path, ours, page)}
	}
	switch page := page.(type) {
	case map[string]any:
		ours := ours.(map[string]any)
		for k, v := range page {
			if w, ok := ours[k]; ok {
				faults = append(faults, unlike(path+"."+k, v, w)...)
			} else {
				faults = append(faults, path+"."+k+" is missing")
			}
		}
		for k := range ours {
			if _, ok := page[k]; !ok {
				faults = append(faults, path+"."+k+" is not on the page")
			}
		}
	case []any:
		for _, w := range ours.([]any) {
			if _, object := w.(map[string]any); object {
				faults = append(faults, unlike(path+"[]", page[0], w)...)
			}
		}
	}
	return faults
}

func TestRoundedLikeJavaScript(t *testing.T) {
	for id, want := range map[string]json.Number{
		"1653682321878942721": "1653682321878942700",
		"1471808049579560960": "1471808049579561000",
		"9007199254740993":    "9007199254740992",
		"123":                 "123",
		"wwcorp":              "0",
	} {
		if got := rounded(id); got != want {
			t.Errorf("rounded(%s) = %s, want %s", id, got, want)
		}
	}
}

func TestOrderNumbersAreDatedAndDistinct(t *testing.T) {
	c := &clock{now: time.UnixMilli(1639741358548)}
	s := newServer(t, Options{Clock: c.Now})
	first, _ := sample(t, s)
	second, _ := sample(t, s)
	if len(first) != 19 || first[:12] != "147180804957" || second <= first {
		t.Errorf("order numbers %s, %s; the page's order of that time has 1471808049579560960", first, second)
	}
}

func TestAnswersStandWhereTheTypeHasThem(t *testing.T) {
	tests := []struct {
		kind   string
		given  []string
		value  string
		values string
	}{
		{"input", []string{"x"}, "x", `""`},
		{"textarea", nil, "", `""`},
		{"select", []string{"上海"}, "", `["上海"]`},
		{"radio", nil, "", `null`},
		{"selectMultiple", []string{"a", "b"}, "", `["a","b"]`},
		{"checked", nil, "", `null`},
		{"file", nil, "", `[]`},
		{"file", []string{"https://e.example/a.png"}, "", `["https://e.example/a.png"]`},
	}
	for _, tt := range tests {
		value, values := answers(Component{Type: tt.kind, Answers: tt.given})
		if got := string(fakevendor.Encode(values)); value != tt.value || got != tt.values {
			t.Errorf("%s %v: value %q, values %s; want %q, %s", tt.kind, tt.given, value, got, tt.value, tt.values)
		}
	}
}
