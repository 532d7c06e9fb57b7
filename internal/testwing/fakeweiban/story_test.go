package fakeweiban

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/script"

	"github.com/google/go-cmp/cmp"
)

// A whole life of an order: what each step tells, and what the detail then is.
func TestStoryOfAnOrder(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	no, created := sample(t, s)
	act := func(n Notice, err error) Notice {
		t.Helper()
		c.Advance(time.Minute)
		return must(t)(n, err)
	}
	c.Advance(time.Minute)
	notices := []Notice{
		created,
		act(s.Switch(no, Act{
			Staff: "LiHua", Handler: "LiMei", CC: []string{"LiYang"}, Text: "请处理", Pics: []string{"https://e.example/a.png"},
			Attached: []Attachment{{"image", "https://e.example/b.png"}}, Show: true,
		})),
		act(s.Reply(no, Act{Staff: "LiMei", Text: "已联系客户"})),
		act(s.Close(no, Act{Staff: "LiMei", Text: "已修复"})),
		act(s.Reopen(no, Act{Staff: "LiYang"})),
	}
	want := []string{
		`"create_time":1640244967.924,"type":"event","event":"work_order_change","status":"create","retry_count":0,"seq":1,"msg_data":{"order_no":"NO","staff_id":"LiYang"}}`,
		`"create_time":1640245027924,"type":"event","event":"work_order_change","status":"switch","retry_count":0,"seq":2,"msg_data":{"attached_json":[{"type":"image","url":"https://e.example/b.png"}],"cc_list":["LiYang"],"content":{"pic":["https://e.example/a.png"],"text":"请处理"},"handler_id":"LiMei","is_show":1,"order_no":"NO","staff_ext_id":"LiHua","staff_id":"LiHua"}}`,
		`"create_time":1640245087.924,"type":"event","event":"work_order_change","status":"reply","retry_count":0,"seq":3,"msg_data":{"attached_json":[],"cc_list":[],"content":{"pic":[],"text":"已联系客户"},"is_show":0,"order_no":"NO","staff_id":"LiMei"}}`,
		`"create_time":1640245147924,"type":"event","event":"work_order_change","status":"close","retry_count":0,"seq":4,"msg_data":{"attached_json":[],"cc_list":[],"content":{"pic":[],"text":"已修复"},"handler_id":"LiMei","is_show":0,"order_no":"NO","staff_ext_id":"LiMei","staff_id":"LiMei"}}`,
		`"create_time":1640245207.924,"type":"event","event":"work_order_change","status":"reopen","retry_count":0,"seq":5,"msg_data":{"order_no":"NO","staff_id":"LiYang"}}`,
	}
	var ids []string
	for i, n := range notices {
		head := `{"id":"` + n.ID + `","corp_id":"1653682321878942721",`
		if diff := cmp.Diff(head+strings.ReplaceAll(want[i], "NO", no), string(n.Plaintext(0))); diff != "" {
			t.Errorf("notice %d (-want +got):\n%s", i, diff)
		}
		ids = append(ids, n.ID)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(notices) || len(ids[0]) != 36 {
		t.Errorf("message ids are not distinct uuids: %v", ids)
	}

	_, a := get(s, APIOrder, token(t, s), "order_no", no)
	order := a["work_order"].(map[string]any)
	var types []string
	var flowIDs []int
	for _, f := range order["processing_flows"].([]any) {
		row := f.(map[string]any)
		id, err := strconv.Atoi(text(row["id"]))
		if err != nil {
			t.Fatal(err)
		}
		types, flowIDs = append(types, row["type_name"].(string)), append(flowIDs, id)
	}
	if diff := cmp.Diff([]string{"待处理", "重新打开", "关闭工单", "评论", "待处理", "流转", "待处理", "新建工单"}, types); diff != "" {
		t.Errorf("flows, newest first (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(flowIDs, func(a, b int) int { return b - a }) {
		t.Errorf("ids of the flows do not fall: %v", flowIDs)
	}
	operate := order["button_operate"].(map[string]any)
	got := []any{order["handler_id"], order["last_handler_id"], order["reopen"], text(order["updated_at"]), operate["close"], operate["reopen"]}
	if diff := cmp.Diff([]any{"LiMei", "LiHua", true, "1640245207", true, false}, got); diff != "" {
		t.Errorf("detail at the end (-want +got):\n%s", diff)
	}
}

func text(v any) string { s, _ := v.(interface{ String() string }); return s.String() }

func TestStoryRefuses(t *testing.T) {
	s := newServer(t, Options{})
	no, _ := sample(t, s)
	closed, _ := sample(t, s)
	must(t)(s.Close(closed, Act{Staff: "LiYang"}))
	before := s.Orders()
	run := func(n Notice, err error) error { return err }
	tests := map[string]struct {
		err  error
		code int
	}{
		"unknown order":      {run(s.Reply("1", Act{Staff: "LiYang"})), 22301},
		"unknown actor":      {run(s.Reply(no, Act{Staff: "Nobody"})), 22304},
		"unknown creator":    {run(s.Create(NewOrder{Creator: "Nobody"})), 22304},
		"unknown handler":    {run(s.Switch(no, Act{Staff: "LiYang", Handler: "Nobody"})), 22302},
		"no handler":         {run(s.Switch(no, Act{Staff: "LiYang"})), 22302},
		"unknown copy":       {run(s.Reply(no, Act{Staff: "LiYang", CC: []string{"Nobody"}})), 22303},
		"switch when closed": {run(s.Switch(closed, Act{Staff: "LiYang", Handler: "LiHua"})), 22307},
		"close when closed":  {run(s.Close(closed, Act{Staff: "LiYang"})), 22307},
		"reopen when open":   {run(s.Reopen(no, Act{Staff: "LiYang"})), 22306},
	}
	for name, tt := range tests {
		if no := new(Refusal); !errors.As(tt.err, no) || no.Code != tt.code {
			t.Errorf("%s: %v, want code %d", name, tt.err, tt.code)
		}
	}
	if _, err := s.Create(NewOrder{OrderNo: no, Creator: "LiYang"}); err == nil {
		t.Error("an order number was given twice")
	}
	if diff := cmp.Diff(before, s.Orders()); diff != "" {
		t.Errorf("a refused act changed something:\n%s", diff)
	}
}

func TestEditPutRemove(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	no, _ := sample(t, s)
	c.Advance(time.Hour)
	if err := s.Edit(no, func(o *Order) { o.Components[0].Answers = []string{"fwgs-2"} }); err != nil {
		t.Fatal(err)
	}
	o, ok := s.Order(no)
	if !ok || o.Components[0].Answers[0] != "fwgs-2" || !o.UpdatedAt.Equal(c.Now()) {
		t.Errorf("after the edit: %+v", o)
	}
	o.Flows[0].Text = "changed outside"
	if again, _ := s.Order(no); again.Flows[0].Text == "changed outside" {
		t.Error("a copy shares the server's flows")
	}
	s.Remove(no)
	if _, a := get(s, APIOrder, token(t, s), "order_no", no); errcode(a) != "22301" {
		t.Errorf("a removed order answers %v", a)
	}
	if err := s.Edit(no, func(*Order) {}); err == nil {
		t.Error("a removed order was edited")
	}
}

func TestOpportunityChange(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	o, err := s.AddOpportunity(Opportunity{Name: "空调采购", StaffID: "LiYang"})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Minute)
	moved := must(t)(s.OpportunityChange(o.ID, "LiHua", func(o *Opportunity) { o.Stage = "赢单" }))
	edited := must(t)(s.OpportunityChange(o.ID, "LiHua", func(o *Opportunity) { o.Amount = 5 }))
	key := strconv.FormatInt(o.ID, 10)
	if moved.Status != "stage" || edited.Status != "update" || moved.Key != key || moved.Event != EventOpportunity {
		t.Errorf("notices %+v, %+v", moved, edited)
	}
	want := map[string]any{"id": key, "serial_number": "SJ2021122300001", "staff_id": "LiHua"}
	if diff := cmp.Diff(want, moved.Data); diff != "" {
		t.Errorf("msg_data (-want +got):\n%s", diff)
	}
	got := s.Opportunities()[0]
	if !got.StageEnd || got.StageID == o.StageID || got.Amount != 5 || !got.StageUpdatedAt.Equal(c.Now()) {
		t.Errorf("opportunity is now %+v", got)
	}
	tok := token(t, s)
	for query, code := range map[[2]string]string{
		{"id", key}: "0", {"id", "1"}: "22201", {"serial_number", "none"}: "22201", {"id", ""}: "22203",
	} {
		if _, a := get(s, APIOpportunity, tok, query[0], query[1]); errcode(a) != code {
			t.Errorf("one by %v answers %s, want %s", query, errcode(a), code)
		}
	}
	if _, err := s.OpportunityChange(1, "LiHua", nil); err == nil {
		t.Error("an unknown opportunity was changed")
	}
	if _, err := s.OpportunityChange(o.ID, "Nobody", nil); err == nil {
		t.Error("an unknown person changed an opportunity")
	}
	if _, err := s.AddOpportunity(Opportunity{StaffID: "Nobody"}); err == nil {
		t.Error("an unknown person keeps an opportunity")
	}
}

func TestNoticeForms(t *testing.T) {
	s := newServer(t, Options{Callback: Callback{Bare: true, Escaped: true, CloseStatus: "switch"}})
	no, _ := sample(t, s)
	n := must(t)(s.Close(no, Act{Staff: "LiYang", Text: "好😀"}))
	plain := string(n.Plaintext(2))
	if n.Status != "switch" || strings.Contains(plain, "retry_count") || strings.Contains(plain, `"seq"`) {
		t.Errorf("bare notice: %s", plain)
	}
	if !strings.Contains(plain, `"text":"\u597d\ud83d\ude00"`) {
		t.Errorf("escaped notice: %s", plain)
	}
	if diff := cmp.Diff("好😀", decoded([]byte(plain))["msg_data"].(map[string]any)["content"].(map[string]any)["text"]); diff != "" {
		t.Errorf("escaped text reads differently:\n%s", diff)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for range 50 {
		if id := s.Renamed(n).ID; !uuid.MatchString(id) {
			t.Fatalf("%s is no uuid", id)
		}
	}
	again := s.Renamed(n)
	if again.ID == n.ID || again.Key != n.Key {
		t.Errorf("renamed: %+v of %+v", again, n)
	}
}

func TestWatcherSeesCallsAndChanges(t *testing.T) {
	var seen []script.Event
	c := newClock()
	s := newServer(t, Options{Clock: c.Now, Observe: func(e script.Event) { e.Took = 0; seen = append(seen, e) }})
	no, n := sample(t, s)
	if _, err := s.Reply("1", Act{Staff: "LiYang"}); err == nil {
		t.Error("an unknown order was replied to")
	}
	get(s, APIOrder, "wrong", "order_no", no)
	want := []script.Event{
		{At: n.At, Vendor: "weiban", What: "change", API: "create", Key: no, Detail: EventOrder},
		{At: n.At, Vendor: "weiban", What: "call", API: APIOrder, Key: no, Outcome: "10001"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}
