package fakeweiban

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/script"

	"github.com/google/go-cmp/cmp"
)

func TestTokens(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	works := func(tok string) bool { _, a := get(s, APIStaffList, tok); return errcode(a) == "0" }
	for body, code := range map[string]string{
		`{"corp_id":"1653682321878942721","secret":"sample-secret"}`: "0",
		`{"corp_id":"1653682321878942721","secret":"wrong"}`:         "10001",
		`{"corp_id":"1","secret":"sample-secret"}`:                   "10001",
		`corp_id=1`: "10049",
	} {
		if _, a := post(s, body); errcode(a) != code {
			t.Errorf("%s answers %v, want %s", body, a, code)
		}
	}
	first, second := token(t, s), token(t, s)
	if !works(first) || !works(second) || works("") || works("x") {
		t.Error("tokens do not open what they should, or others do")
	}
	c.Advance(2*time.Hour - 1)
	if !works(first) {
		t.Error("a token died before its time")
	}
	c.Advance(1)
	if works(first) {
		t.Error("a token outlived its time")
	}
	third := token(t, s)
	s.ExpireTokens()
	if works(third) {
		t.Error("an expired token works")
	}
	fourth := token(t, s)
	s.RotateSecret("other-secret")
	if _, a := post(s, `{"corp_id":"1653682321878942721","secret":"sample-secret"}`); errcode(a) != "10001" || works(fourth) {
		t.Error("the old secret or its tokens work")
	}
	if !works(token(t, s)) || s.TokensIssued() != 6 {
		t.Errorf("%d tokens made", s.TokensIssued())
	}
}

func TestTokenPolicies(t *testing.T) {
	for policy, want := range map[TokenPolicy]struct{ same, oldWorks bool }{
		KeepOld: {false, true}, KillOld: {false, false}, SameWhileValid: {true, true},
	} {
		c := newClock()
		s := newServer(t, Options{Clock: c.Now, TokenPolicy: policy})
		old := token(t, s)
		c.Advance(time.Hour)
		_, a := post(s, `{"corp_id":"1653682321878942721","secret":"sample-secret"}`)
		left := "7200"
		if want.same {
			left = "3600"
		}
		if got := fmt.Sprint(a["expires_in"]); got != left {
			t.Errorf("policy %d: expires_in %s, want %s", policy, got, left)
		}
		if same := a["access_token"] == old; same != want.same {
			t.Errorf("policy %d: same token %v", policy, same)
		}
		if _, a := get(s, APIStaffList, old); (errcode(a) == "0") != want.oldWorks {
			t.Errorf("policy %d: the old token answers %s", policy, errcode(a))
		}
	}
}

func TestLists(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	var nos []string
	for range 45 {
		no, _ := sample(t, s)
		nos = append(nos, no)
		c.Advance(time.Second)
	}
	must(t)(s.Switch(nos[0], Act{Staff: "LiYang", Handler: "LiMei"})) // at second 45
	tok := token(t, s)
	first := newClock().Now().Unix()
	list := func(query ...string) (total string, got []string, code string) {
		_, a := get(s, APIOrderList, tok, query...)
		rows, _ := a["workorder_list"].([]any)
		for _, r := range rows {
			got = append(got, r.(map[string]any)["order_no"].(string))
		}
		return fmt.Sprint(a["total"]), got, errcode(a)
	}
	at := func(n int64) string { return fmt.Sprint(first + n) }
	tests := map[string]struct {
		query  []string
		total  string
		n      int
		newest string
	}{
		"default page":      {nil, "45", 30, nos[44]},
		"the rest":          {[]string{"offset", "30"}, "45", 15, nos[14]},
		"beyond":            {[]string{"offset", "50"}, "45", 0, ""},
		"short page":        {[]string{"limit", "2", "offset", "1"}, "45", 2, nos[43]},
		"one time alone":    {[]string{"start_time", at(40)}, "45", 30, nos[44]},
		"by update":         {[]string{"start_time", at(40), "end_time", at(45)}, "6", 6, nos[44]},
		"title":             {[]string{"title", "制冷"}, "45", 30, nos[44]},
		"title that is not": {[]string{"title", "打印机"}, "0", 0, ""},
	}
	for name, tt := range tests {
		total, got, _ := list(tt.query...)
		if total != tt.total || len(got) != tt.n || tt.n > 0 && got[0] != tt.newest {
			t.Errorf("%s: total %s, rows %v", name, total, got)
		}
	}
	for _, bad := range [][]string{{"limit", "101"}, {"limit", "x"}, {"offset", "-1"}, {"start_time", "x", "end_time", "1"}} {
		if _, _, code := list(bad...); code != "10049" {
			t.Errorf("%v answers %s", bad, code)
		}
	}

	_, a := get(s, APIOrderList, tok, "limit", "1", "offset", "44")
	row := a["workorder_list"].([]any)[0].(map[string]any)
	want := decoded([]byte(`{"id":26497,"order_no":"` + nos[0] + `","template_id":62081,"template_title":"","flow_handler":1,
		"template_step":2,"title":"空调不制冷","relation_type":1,"relation_id":"","status":20,"handler_id":"LiMei",
		"last_handler_id":"LiHua","creator_id":"LiYang","created_at":1640244967,"updated_at":1640245012,"total_time":0,
		"content":{"pic":[],"text":""}}`))
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("row of the list (-want +got):\n%s", diff)
	}
}

func TestListSettings(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now, ListByTime: ByCreation, OldestFirst: true})
	no, _ := sample(t, s)
	c.Advance(time.Minute)
	other, _ := sample(t, s)
	must(t)(s.Reply(no, Act{Staff: "LiYang"}))
	_, a := get(s, APIOrderList, token(t, s), "start_time", "0", "end_time", "1640244990")
	if rows := a["workorder_list"].([]any); len(rows) != 1 || rows[0].(map[string]any)["order_no"] != no {
		t.Errorf("by creation: %v, want only %s and not %s", rows, no, other)
	}
	_, a = get(s, APIOrderList, token(t, s))
	if rows := a["workorder_list"].([]any); rows[0].(map[string]any)["order_no"] != no {
		t.Errorf("oldest first: %v", rows)
	}
}

func TestStaffAndOpportunityLists(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	tok := token(t, s)
	_, a := get(s, APIStaffList, tok, "fields", `["department"]`, "limit", "100")
	staff := a["staff_list"].([]any)
	if len(staff) != len(Roster()) || staff[0].(map[string]any)["department"] == nil {
		t.Errorf("staff list: %v", a)
	}
	_, a = get(s, APIStaff, tok, "staff_id", "LiMei")
	if p := a["staff"].(map[string]any); p["name"] != "李梅" || p["departments"] != "售后中心/华东" {
		t.Errorf("staff: %v", p)
	}
	if _, a = get(s, APIStaff, tok, "staff_id", "Nobody"); errcode(a) != "20201" {
		t.Errorf("unknown staff: %v", a)
	}
	o, err := s.AddOpportunity(Opportunity{Name: "一", StaffID: "LiYang"})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Hour)
	if _, err := s.AddOpportunity(Opportunity{Name: "二", StaffID: "LiYang"}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{"": "2", "update_end_time": "1", "end_time": "1"} {
		args := []string{strings.Replace(query, "end", "start", 1), "0", query, "1640244990"}
		if query == "" {
			args = nil
		}
		if _, a = get(s, APIOpportunityList, tok, args...); fmt.Sprint(a["total"]) != want {
			t.Errorf("opportunities by %q: %v", query, a["total"])
		}
	}
	_, a = get(s, APIOpportunityList, tok, "serial_number", o.SerialNumber)
	if rows := a["opportunity_list"].([]any); len(rows) != 1 || rows[0].(map[string]any)["name"] != "一" {
		t.Errorf("opportunity by number: %v", rows)
	}
	if _, a = get(s, APIOpportunityList, tok, "limit", "1000"); errcode(a) != "10049" {
		t.Errorf("a page too large: %v", errcode(a))
	}
}

func TestNotTheAPI(t *testing.T) {
	s := newServer(t, Options{})
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/open-api/nothing", "", 404},
		{http.MethodGet, "/open-api/access_token/get", "", 405},
		{http.MethodPost, "/open-api/workorder/detail", "", 405},
		{http.MethodPost, "/open-api/access_token/get", strings.Repeat("x", maxRequest+1), 413},
	} {
		if status, _ := do(s, httptest.NewRequestWithContext(context.Background(), tt.method, tt.path, bytes.NewBufferString(tt.body))); status != tt.status {
			t.Errorf("%s %s answers %d, want %d", tt.method, tt.path, status, tt.status)
		}
	}
}

func TestReadLag(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now, ReadLag: 2 * time.Second})
	no, _ := sample(t, s)
	tok := token(t, s)
	c.Advance(2*time.Second - 1)
	if _, a := get(s, APIOrder, tok, "order_no", no); errcode(a) != "22301" {
		t.Errorf("too young an order answers %s", errcode(a))
	}
	c.Advance(1)
	if _, a := get(s, APIOrder, tok, "order_no", no); errcode(a) != "0" {
		t.Errorf("an order of age answers %s", errcode(a))
	}
}

// Scripted faults come out in Weiban's own words; the next call is well again,
// except that an expired token stays so.
func TestScriptedFaults(t *testing.T) {
	plan := script.New(1)
	s := newServer(t, Options{Script: plan})
	no, _ := sample(t, s)
	other, _ := sample(t, s)
	tok := token(t, s)
	detail := func(no string) (int, string) {
		status, a := get(s, APIOrder, tok, "order_no", no)
		return status, fmt.Sprint(errcode(a), a["errmsg"])
	}
	plan.Add(
		script.Fault{Kind: script.Throttle, API: APIOrder, Key: no},
		script.Fault{Kind: script.Throttle, API: APIOrder, Key: no, Code: "10052"},
		script.Fault{Kind: script.Code, API: APIOrder, Key: no, Code: "19999", Text: "系统繁忙"},
		script.Fault{Kind: script.Refuse, API: APIOrder, Key: no, Text: "不行"},
		script.Fault{Kind: script.TokenExpired, API: APIOrder, Key: no},
	)
	for _, want := range []string{"10053超出接口调用频率限制", "10052超出接口并发限制", "19999系统繁忙", "10049不行", "10001身份验证失败,请提供正确的access_token"} {
		if status, got := detail(no); status != 200 || got != want {
			t.Errorf("%d %s, want %s", status, got, want)
		}
	}
	if _, got := detail(other); !strings.HasPrefix(got, "10001") {
		t.Errorf("an expired token answers %s", got)
	}
	tok = token(t, s)
	plan.Add(script.Fault{Kind: script.Odd}, script.Fault{Kind: script.Status, Status: 502})
	if _, a := get(s, APIOrder, tok, "order_no", no); errcode(a) != "0" || a["work_order"] != nil {
		t.Errorf("odd: %v", a)
	}
	if status, _ := detail(no); status != 502 {
		t.Errorf("status %d, want 502", status)
	}
	if _, got := detail(no); got != "0ok" {
		t.Errorf("after the faults: %s", got)
	}
	if len(s.Breaches()) != 0 {
		t.Errorf("scripted throttles were counted as breaches: %v", s.Breaches())
	}
}

func TestDownCutsEverything(t *testing.T) {
	s := newServer(t, Options{})
	if err := s.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	at := s.URL() + "/open-api/" + APIStaffList + "?access_token=" + token(t, s)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	s.SetDown(true)
	if code, err := over(t.Context(), client, at); err == nil {
		t.Errorf("down, and answers %s", code)
	}
	if n := s.Calls()[APIStaffList].Total; n != 0 {
		t.Errorf("%d calls were read while down", n)
	}
	s.SetDown(false)
	if code, err := over(t.Context(), client, at); code != "0" {
		t.Errorf("up again: %s %v", code, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
