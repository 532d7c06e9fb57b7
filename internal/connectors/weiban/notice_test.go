package weiban

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/events"
)

const switched = `{"id":"7a1d0c6e-0000-4000-8000-000000000001","corp_id":"1704174310933890049","create_time":1640244967924,"type":"event",
 "event":"work_order_change","status":"switch","retry_count":0,"seq":1,
 "msg_data":{"order_no":"1446377590381088768","staff_id":"LiYang","staff_ext_id":"ext-1","handler_id":"LiHua","cc_list":["LiMei"],
  "content":{"text":"请处理","pic":["https://e.example/a.png"]},"is_show":1,"attached_json":[{"type":"image","url":"https://e.example/b.png"}]}}`

func parse(t testing.TB, text string) Notice {
	t.Helper()
	n, err := ParseNotice([]byte(text))
	if err != nil {
		t.Fatalf("%.80s: %v", text, err)
	}
	return n
}

func TestParseNoticeReadsEverything(t *testing.T) {
	retries, seq := int64(0), int64(1)
	want := Notice{
		ID: "7a1d0c6e-0000-4000-8000-000000000001", CorpID: corp,
		Event: "work_order_change", Status: "switch", Type: "event",
		CreateTime: time.Date(2021, 12, 23, 7, 36, 7, 924e6, time.UTC),
		RetryCount: &retries, Seq: &seq,
		Noun: events.WorkOrder, Key: "1446377590381088768",
		MsgData: MsgData{
			OrderNo: "1446377590381088768", StaffID: "LiYang", StaffExtID: "ext-1", HandlerID: "LiHua", CCList: Texts{"LiMei"},
			Content: Content{Text: "请处理", Pic: Texts{"https://e.example/a.png"}}, IsShow: 1,
			AttachedJSON: Attachments{{Type: "image", URL: "https://e.example/b.png"}},
		},
	}
	got := parse(t, switched)
	if !regexp.MustCompile(`^c-[0-9a-f]{32}$`).MatchString(got.ContentKey) {
		t.Errorf("content key %q", got.ContentKey)
	}
	got.ContentKey = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
	var c Callback
	if err := json.Unmarshal([]byte(switched), &c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.MsgData, c.MsgData); diff != "" || c.CreateTime != 1640244967 || string(c.ID) != want.ID {
		t.Errorf("a mapping reads %+v\n%s", c, diff)
	}
}

func TestParseNoticeFindsTheOrder(t *testing.T) {
	type order struct {
		Noun        events.Noun
		Status, Key string
		Ref         OpportunityRef
	}
	long := strings.Repeat("9", 129)
	for text, want := range map[string]order{
		`{"id":"1","event":"work_order_change","status":"close","msg_data":{"order_no":"12"}}`:                                 {events.WorkOrder, "close", "12", OpportunityRef{}},
		`{"id":"1","event":"work_order_change","status":"closed","msg_data":{"order_no":1446377590381088768}}`:                 {events.WorkOrder, "closed", "1446377590381088768", OpportunityRef{}},
		`{"id":"1","event":"work_order_change","status":"create","msg_data":{"ORDER_NO":"no","order_no":"12","Order_No":"x"}}`: {events.WorkOrder, "create", "12", OpportunityRef{}},
		`{"id":"1","event":"work_order_change","status":"create","msg_data":{"order_no":"12","is_show":{},"cc_list":7}}`:       {events.WorkOrder, "create", "12", OpportunityRef{}},
		`{"id":"1","event":"opportunity_change","status":"update","msg_data":{"id":77,"serial_number":"SJ-1"}}`:                {events.Opportunity, "update", "77", OpportunityRef{"77", "SJ-1"}},
		`{"id":"1","event":"opportunity_change","status":"update","msg_data":{"id":"78","opportunity_id":79}}`:                 {events.Opportunity, "update", "79", OpportunityRef{ID: "79"}},
		`{"id":"1","event":"opportunity_change","status":"update","msg_data":{"serial_number":"商机 1"}}`:                        {events.Opportunity, "update", "商机 1", OpportunityRef{SerialNumber: "商机 1"}},
		`{"id":"m-1","event":"meeting_change","status":"create","msg_data":{"meeting":{"id":5}}}`:                              {"", "create", "m-1", OpportunityRef{}},
		`{"id":"m-1","event":"meeting_change","status":"create","msg_data":null}`:                                              {"", "create", "m-1", OpportunityRef{}},
		`{"id":"m-1","event":"work_order.new","status":"v2","msg_data":{"order_no":"12"}}`:                                     {"", "v2", "12", OpportunityRef{}},
		`{"id":"m-1","event":"x","status":"y","msg_data":{"order_no":"` + long + `"}}`:                                         {"", "y", "m-1", OpportunityRef{}},
	} {
		n := parse(t, text)
		if diff := cmp.Diff(want, order{n.Noun, n.Status, n.Key, n.Ref()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseNoticeRefusesWhatItCannotUnderstand(t *testing.T) {
	for text, want := range map[string]string{
		``:                             "ends too early",
		`hello secret`:                 "not JSON",
		`null`:                         "not an object",
		`["secret"]`:                   "not an object",
		`{"event":"a","event":"b"}`:    "event is missing",
		strings.Repeat(`{"a":`, 1e4):   "ends too early",
		`{"id":"1","status":"secret"}`: "event is missing",
		`{"event":1,"status":"b"}`:     "event is missing",
		`{"event":"a>b","status":"b"}`: "event is missing",
		`{"event":"工单","status":"b"}`:  "event is missing",
		`{"Event":"a","Status":"b"}`:   "event is missing",
		`{"event":"` + strings.Repeat("e", 65) + `","status":"b"}`:                               "event is missing",
		`{"event":"work_order_change","status":"close"}`:                                         "order_no is absent",
		`{"event":"work_order_change","status":"close","msg_data":{"order_no":1.5}}`:             "order_no is a number",
		`{"event":"work_order_change","status":"close","msg_data":{"order_no":"a\nsecret"}}`:     "order_no has control",
		`{"event":"work_order_change","status":"close","msg_data":["secret"]}`:                   "order_no is absent",
		`{"event":"opportunity_change","status":"x","msg_data":{"id":null,"order_no":"secret"}}`: "opportunity_id is absent",
		`{"event":"opportunity_change","status":"x","msg_data":{"id":{"secret":1}}}`:             "id is of type object",
		`{"event":"a","status":"b"} secret`:                                                      "after the end",
	} {
		_, err := ParseNotice([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func TestContentKeyIsOfTheContent(t *testing.T) {
	base := parse(t, switched).ContentKey
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(switched) }
	same := map[string]string{
		"another id":         replace("7a1d0c6e", "ffffffff"),
		"retry and sequence": replace(`"retry_count":0,"seq":1`, `"seq":9,"retry_count":3`),
		"seconds":            replace("1640244967924", "1640244967.924"),
		"escapes":            replace("请", `\u8bf7`, "/", `\/`),
		"order of members":   replace(`"order_no":"1446377590381088768","staff_id":"LiYang",`, `"staff_id":"LiYang","order_no":"1446377590381088768",`),
		"white space":        replace(`":`, `" : `, `,"`, ",\n\t\""),
		"number's notation":  replace(`"is_show":1`, `"is_show":1.0`),
	}
	for name, text := range same {
		if got := parse(t, text).ContentKey; got != base {
			t.Errorf("%s: another key", name)
		}
	}
	seen := map[string]string{base: "the original"}
	for name, text := range map[string]string{
		"status": replace(`"switch"`, `"reply"`),
		"time":   replace("1640244967924", "1640244967925"),
		"text":   replace("请处理", "请处理!"),
		"staff":  replace("LiYang", "liyang"),
		"nobody": replace(`,"cc_list":["LiMei"]`, ""),
	} {
		got := parse(t, text).ContentKey
		if other := seen[got]; other != "" {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[got] = name
	}
}

func TestUnusableMessageIDs(t *testing.T) {
	for _, id := range []string{`""`, `null`} {
		if n := parse(t, `{"id":`+id+`,"event":"a","status":"b","msg_data":{"x":1}}`); n.ID != n.ContentKey || n.Key != n.ID {
			t.Errorf("id %s: %q, key %q", id, n.ID, n.Key)
		}
	}
	long := strings.Repeat("x", 111)
	seen := map[string]string{}
	for _, id := range []string{`"工单"`, `"单工"`, `"a b"`, `"a\nb"`, `"a~b"`, `{}`, `[]`, `true`, `1.5`, `"` + long + `x"`, `"` + long + `y"`} {
		n := parse(t, `{"id":`+id+`,"event":"a","status":"b"}`)
		if !strings.HasPrefix(n.ID, "h-") || seen[n.ID] != "" {
			t.Errorf("id %s became %q, as did %s", id, n.ID, seen[n.ID])
		}
		seen[n.ID] = id
	}
	for id, want := range map[string]string{`"a.b"`: "a.b", `123`: "123", `"` + long + `"`: long} {
		if n := parse(t, `{"id":`+id+`,"event":"a","status":"b"}`); n.ID != want {
			t.Errorf("id %s: %q", id, n.ID)
		}
	}
}

// Whatever the time's notation, the notice holds the same millisecond.
func TestCreateTimeInBothUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(leastMillis, 4_000_000_000_000).Draw(t, "ms")
		at := time.UnixMilli(ms).UTC()
		for _, text := range []string{
			fmt.Sprint(ms),
			fmt.Sprintf("%d.%03d", ms/1000, ms%1000),
			fmt.Sprintf("%q", fmt.Sprint(ms)),
		} {
			n, err := ParseNotice([]byte(`{"id":"1","event":"a","status":"b","create_time":` + text + `}`))
			if err != nil || !n.CreateTime.Equal(at) {
				t.Fatalf("%s: %v, %v, want %v", text, n.CreateTime, err, at)
			}
		}
	})
	for _, text := range []string{"null", `"soon"`, "-1", "[]", "1e29"} {
		if n := parse(t, `{"id":"1","event":"a","status":"b","create_time":`+text+`}`); !n.CreateTime.IsZero() {
			t.Errorf("%s: %v", text, n.CreateTime)
		}
	}
}

func BenchmarkParseNotice(b *testing.B) {
	text := []byte(switched)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseNotice(text); err != nil {
			b.Fatal(err)
		}
	}
}
