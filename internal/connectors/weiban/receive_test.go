package weiban

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// closed is a close whose msg_data has more members.
func closed(more string) string {
	return `{"id":"m1","corp_id":"1704174310933890049","create_time":1640244967.924,"type":"event","event":"work_order_change","status":"close","msg_data":{"order_no":"1446377590381088768","staff_id":"LiYang"` + more + `}}`
}

// with is a close in which one text stands for another.
func with(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(closed("")) }

// A callback goes to its order whenever its event and its number can be read. Of
// each: what the data has in the place of what was sent, and what was odd.
func TestReceiveFindsTheOrder(t *testing.T) {
	const number = "1446377590381088768"
	for _, tt := range []struct{ name, in, status, original, data, repaired string }{
		{"as documented", closed(""), "close", `null`, `{}`, ""},
		{"text for a number", closed(`,"is_show":"1"`), "close", `{"/msg_data/is_show":"1"}`, `{"is_show":1}`, ""},
		{"boolean for a number", closed(`,"is_show":true`), "close", `null`, `{"is_show":true}`, ""},
		{"no number", closed(`,"is_show":"yes"`), "close", `{"/msg_data/is_show":"yes"}`, `{}`, ""},
		{"empty text for a number", closed(`,"is_show":""`), "close", `{"/msg_data/is_show":""}`, `{"is_show":null}`, ""},
		{"list for an object", closed(`,"content":[]`), "close", `{"/msg_data/content":[]}`, `{"content":{}}`, ""},
		{"bare note", closed(`,"content":"<修好>"`), "close", `{"/msg_data/content":"<修好>"}`, `{"content":{"text":"<修好>"}}`, ""},
		{"note as JSON", closed(`,"content":"{\"text\":7}"`), "close", `{"/msg_data/content":"{\"text\":7}","/msg_data/content/text":7}`, `{"content":{"text":"7"}}`, ""},
		{"object for a list", closed(`,"cc_list":{},"attached_json":{}`), "close", `{"/msg_data/cc_list":{},"/msg_data/attached_json":{}}`, `{"cc_list":[],"attached_json":[]}`, ""},
		{"numbered object for a list", closed(`,"cc_list":{"1":"b","0":"a"}`), "close", `{"/msg_data/cc_list":{"0":"a","1":"b"}}`, `{"cc_list":["a","b"]}`, ""},
		{"list as JSON", closed(`,"cc_list":"[\"a\",1]","attached_json":"[{\"type\":\"image\"}]"`), "close", `{"/msg_data/cc_list":"[\"a\",1]","/msg_data/attached_json":"[{\"type\":\"image\"}]"}`, `{"cc_list":["a","1"],"attached_json":[{"type":"image"}]}`, ""},
		{"one for a list", closed(`,"cc_list":7,"content":{"pic":"https://a"}`), "close", `{"/msg_data/cc_list":7,"/msg_data/content/pic":"https://a"}`, `{"cc_list":["7"],"content":{"pic":["https://a"]}}`, ""},
		{"null", closed(`,"cc_list":null,"content":null,"is_show":null,"handler_id":null`), "close", `null`, `{"cc_list":null,"content":null,"is_show":null,"handler_id":null}`, ""},
		{"number for a text", closed(`,"handler_id":1.0,"staff_ext_id":false`), "close", `{"/msg_data/handler_id":1.0,"/msg_data/staff_ext_id":false}`, `{"handler_id":"1","staff_ext_id":"false"}`, ""},
		{"no text", closed(`,"handler_id":{"a":1}`), "close", `{"/msg_data/handler_id":{"a":1}}`, `{}`, ""},
		{"members of tomorrow", closed(`,"x":{"y":["1",2]}`), "close", `null`, `{"x":{"y":["1",2]}}`, ""},
		{"number as number", with(`"`+number+`"`, number), "close", `{"/msg_data/order_no":` + number + `}`, `{}`, ""},
		{"number with an exact exponent", with(`"`+number+`"`, "1.446377590381088768e18"), "close", `{"/msg_data/order_no":1.446377590381088768e18}`, `{}`, ""},
		{"number with blanks", with(number, " "+number+"\u3000"), "close", `{"/msg_data/order_no":" ` + number + "\u3000" + `"}`, `{}`, ""},
		{"msg_data as JSON", with(`{"order_no":"`+number+`","staff_id":"LiYang"}`, `"{\"order_no\":\"`+number+`\",\"staff_id\":\"LiYang\"}"`), "close", `{"/msg_data":"{\"order_no\":\"` + number + `\",\"staff_id\":\"LiYang\"}"}`, `{}`, ""},
		{"msg_data as JSON of JSON", with(`{"order_no":"`+number+`","staff_id":"LiYang"}`, quoted(quoted(`{"order_no":"`+number+`","staff_id":"LiYang"}`))), "close", `{"/msg_data":` + quoted(quoted(`{"order_no":"`+number+`","staff_id":"LiYang"}`)) + `}`, `{}`, ""},
		{"words in another spelling", with("close", "Re-Open", "work_order_change", "workOrderChange"), "reopen", `{"/status":"Re-Open","/event":"workOrderChange"}`, `{}`, ""},
		{"blanks around words", with("close", "close ", "work_order_change", " work_order_change"), "close", `{"/status":"close ","/event":" work_order_change"}`, `{}`, ""},
		{"invisible in words", with("close", `clo\u200bse`, "work_order_change", `\ufeffwork_order_change`), "close", `{"/status":"clo\u200bse","/event":"\ufeffwork_order_change"}`, `{}`, ""},
		{"capitals", with("close", "CLOSE", "work_order_change", "Work_Order_Change"), "close", `{"/status":"CLOSE","/event":"Work_Order_Change"}`, `{}`, ""},
		{"status of tomorrow", with("close", "Bless.2"), "Bless.2", `null`, `{}`, ""},
		{"status that is no word", with("close", "关闭"), UnknownStatus, `{"/status":"关闭"}`, `{}`, ""},
		{"status that is a number", with(`"close"`, "3"), "3", `{"/status":3}`, `{}`, ""},
		{"no status", with(`"status":"close",`, ""), UnknownStatus, `null`, `{}`, ""},
		{"odd envelope", with(`"corp_id":"1704174310933890049"`, `"corp_id":1704174310933890049,"seq":"2","retry_count":{},"original":5`, "1640244967.924", "[]", `"type":"event"`, `"type":1`), "close", `{"/corp_id":1704174310933890049,"/seq":"2","/retry_count":{},"/create_time":[],"/type":1,"/original":5}`, `{}`, ""},
		{"a member twice", closed(`,"x":1,"x":2,"y":1,"y":1.0`), "close", `{"/msg_data/x":[1,2]}`, `{"x":2,"y":1}`, "duplicate"},
		{"a member twice, alike", closed(`,"x":[1],"x":[1]`), "close", `null`, `{"x":[1]}`, "duplicate"},
		{"number out of bounds", closed(`,"x":1e10000000`), "close", `null`, `{"x":"1e10000000"}`, "number"},
		{"too deep", closed(`,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), "close", `null`, "", "deep"},
		{"byte order mark, padding", bom + closed("") + "\x02\x02", "close", `null`, `{}`, "bom,padding"},
		{"control characters", closed(",\"x\":\"a\nb\x01\""), "close", `null`, `{"x":"a\nb\u0001"}`, "control"},
		{"the whole as a text", quoted(closed("")), "close", `null`, `{}`, "text"},
	} {
		r := Receive([]byte(tt.in))
		if r.Key != number || r.Noun != events.WorkOrder || r.Event != EventWorkOrder || r.Status != tt.status || r.Unnumbered != "" || r.Repaired != tt.repaired {
			t.Errorf("%s: %s %s %s, unnumbered %q, repaired %q, cause %v", tt.name, r.Event, r.Status, r.Key, r.Unnumbered, r.Repaired, r.Cause)
			continue
		}
		var data struct {
			Event    string         `json:"event"`
			Status   string         `json:"status"`
			Original any            `json:"original"`
			MsgData  map[string]any `json:"msg_data"`
		}
		if err := strictjson.Unmarshal(r.Data, &data); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if data.Event != EventWorkOrder || data.Status != tt.status || data.MsgData["order_no"] != number || data.MsgData["staff_id"] != "LiYang" {
			t.Errorf("%s: %s", tt.name, r.Data)
		}
		delete(data.MsgData, "order_no")
		delete(data.MsgData, "staff_id")
		if diff := cmp.Diff(decodedJSON(t, tt.original), data.Original); diff != "" {
			t.Errorf("%s: original (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(decodedJSON(t, tt.data), any(data.MsgData)); tt.data != "" && diff != "" {
			t.Errorf("%s: msg_data (-want +got):\n%s", tt.name, diff)
		}
		again, err := ParseNotice(r.Data)
		if err != nil || again.Key != r.Key || again.Status != r.Status {
			t.Errorf("%s: read again: %+v, %v", tt.name, again, err)
		}
	}
}

func decodedJSON(tb testing.TB, text string) (v any) {
	tb.Helper()
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return v
}

func quoted(text string) string {
	b, err := events.JSON(text)
	if err != nil {
		return ""
	}
	return string(b)
}

// Whoever looks for drift sees what Weiban sent.
func TestAsSent(t *testing.T) {
	for _, text := range []string{
		closed(""), closed(`,"is_show":"1"`), closed(`,"content":{"text":7,"pic":[],"~a/b":{}}`), closed(`,"handler_id":{"a":1}`),
		with("close", "CLOSE "), with(`"type":"event"`, `"original":{"/x":1}`), with("1640244967.924", "false"), `[1]`,
	} {
		sent := AsSent(Receive([]byte(text)).Data)
		if diff := cmp.Diff(decodedJSON(t, text), decodedJSON(t, string(sent))); diff != "" {
			t.Errorf("%s (-sent +given back):\n%s", text, diff)
		}
	}
	data := closed(`,"content":"{\"text\":7}"`)
	if sent := AsSent(Receive([]byte(data)).Data); !bytes.Contains(sent, []byte(`"content":"{\"text\":7}"`)) {
		t.Errorf("%s", sent)
	}
}

// What is about an order that cannot be told says so, and never shares a key with
// another one.
func TestReceiveMarksTheUnnumbered(t *testing.T) {
	const number = `"1446377590381088768"`
	seen := map[string]string{}
	for _, tt := range []struct{ name, in, event, status, why string }{
		{"absent", with(`"order_no":`+number+`,`, ""), EventWorkOrder, "close", "order_no is absent"},
		{"null", with(number, "null"), EventWorkOrder, "close", "order_no is absent"},
		{"empty", with(number, `" "`), EventWorkOrder, "close", "order_no is empty"},
		{"control inside", with(number, `"14\u000046"`), EventWorkOrder, "close", "invisible"},
		{"invisible inside", with(number, `"14\u200b46"`), EventWorkOrder, "close", "invisible"},
		{"invisible behind", with(number, `"1446\ufeff"`), EventWorkOrder, "close", "invisible"},
		{"filler inside", with(number, `"14\u316446"`), EventWorkOrder, "close", "invisible"},
		{"too long", with(number, `"`+strings.Repeat("1", 129)+`"`), EventWorkOrder, "close", "too long"},
		{"half a pair", with(number, `"14\ud80046"`), EventWorkOrder, "close", "cannot be told"},
		{"another half", with(number, `"14\ud80146"`), EventWorkOrder, "close", "cannot be told"},
		{"object", with(number, `{"a":1}`), EventWorkOrder, "close", "of type object"},
		{"boolean", with(number, `true`), EventWorkOrder, "close", "of type bool"},
		{"rounded", with(number, `1.446e18`), EventWorkOrder, "close", "digits"},
		{"fraction", with(number, `1.5`), EventWorkOrder, "close", "digits"},
		{"huge", with(number, `1e1000`), EventWorkOrder, "close", "too long"},
		{"twice", with(`"order_no":`, `"order_no":"2","order_no":`), EventWorkOrder, "close", "more than once"},
		{"our own", with(number, `"unnumbered-1"`), EventWorkOrder, "close", "bridge's own"},
		{"no msg_data", with(`"msg_data"`, `"x"`), EventWorkOrder, "close", "absent"},
		{"opportunity", `{"id":"1","event":"opportunity_change","status":"update","msg_data":{"id":[]}}`, EventOpportunity, "update", "id is of type array"},
		{"event is no word", with("work_order_change", "工单"), EventWorkOrder, "close", "event"},
		{"event twice", with(`"event":`, `"event":"a","event":`), EventWorkOrder, "close", "event"},
		{"no event", with(`"event":"work_order_change",`, ""), EventWorkOrder, "close", "event"},
		{"another spelling of event", with(`"event":`, `"Event":`), EventWorkOrder, "close", "event"},
		{"cut off", closed("")[:150], EventWorkOrder, UnknownStatus, "no JSON object"},
		{"cut off, in UTF-16", "\xff\xfe" + string(bytes.Join(bytes.Split([]byte(closed("")[:150]), nil), []byte{0})) + "\x00", EventWorkOrder, UnknownStatus, "no JSON object"},
		{"more behind it", closed("") + closed(""), EventWorkOrder, UnknownStatus, "no JSON object"},
		{"in a list", "[" + closed("") + "]", EventWorkOrder, UnknownStatus, "no JSON object"},
		{"escaped and cut off", `{"event":"\u0077ork_order_change"`, EventWorkOrder, UnknownStatus, "no JSON object"},
		{"in Chinese", `{"\u4e8b\u4ef6":"\u5de5\u5355\u5173\u95ed"`, EventWorkOrder, UnknownStatus, "no JSON object"},
		{"of another service", `{"orderNo":"7"}`, EventWorkOrder, UnknownStatus, "event"},
		{"opportunity in Chinese", `商机`, EventOpportunity, UnknownStatus, "no JSON object"},
		{"opportunity cut off", `{"event":"opportunity_change"`, EventOpportunity, UnknownStatus, "no JSON object"},
		{"too deep for anybody", closed(`,"x":` + strings.Repeat("[", 20_000)), EventWorkOrder, UnknownStatus, "no JSON object"},
	} {
		r := Receive([]byte(tt.in))
		if r.Event != tt.event || r.Status != tt.status || r.Noun != events.NounOf(tt.event) || !strings.HasPrefix(r.Key, Unnumbered) || !strings.Contains(r.Unnumbered, tt.why) {
			t.Errorf("%s: %s %s of %s, unnumbered %q", tt.name, r.Event, r.Status, r.Key, r.Unnumbered)
		}
		if other := seen[r.Key]; other != "" {
			t.Errorf("%s has the key of %s", tt.name, other)
		}
		seen[r.Key] = tt.name
		if again := Receive([]byte(tt.in)); again.Key != r.Key || again.EventID != r.EventID {
			t.Errorf("%s: a redelivery is another event", tt.name)
		}
	}
}

// Only what says nothing of an order goes to nobody.
func TestReceiveLeavesTheRest(t *testing.T) {
	for _, text := range []string{"", "not json", "[]", "null", `{"a":1}`, `{"a":1,"a":2}`, "\xff\xfe", `{"event":"","status":"b"}`, strings.Repeat("[", 3000)} {
		r := Receive([]byte(text))
		if r.Event != "" || r.Unnumbered != "" || r.Key != r.EventID || string(r.Data) != text || r.NotJSON == (strictjson.Check(r.Data) == nil) {
			t.Errorf("%.40q: %+v", text, r)
		}
	}
	for _, text := range []string{`{"id":"7","event":"meeting_change"}`, `{"id":7,"event":"meeting_change","status":"unrecognised","msg_data":[1]}`} {
		r := Receive([]byte(text))
		if r.Event != "meeting_change" || r.Noun != "" || r.Key != "7" || r.Unnumbered != "" {
			t.Errorf("%s: %+v", text, r)
		}
	}
}

// What a repair could not keep stands beside it.
func TestReceiveKeepsWhatItCouldNotRead(t *testing.T) {
	for _, text := range []string{gbk(t, closed(`,"x":"工单"`)), closed(`,"x":"\ud800"`), closed(",\"x\":\"\xff\"")} {
		var data struct {
			Original map[string][]byte `json:"original"`
		}
		r := Receive([]byte(text))
		if err := json.Unmarshal(r.Data, &data); err != nil || string(data.Original[""]) != text || r.Key != "1446377590381088768" {
			t.Errorf("%q: %s, %v", text, r.Data, err)
		}
	}
}

// The same id with the same content is one event, whatever a redelivery changes;
// the same id with another content is another.
func TestEventIDs(t *testing.T) {
	text := closed(`,"attached_json":[{"url":"https://e.example/a.png?sign=1#x"}],"content":"{\"pic\":[\"https://e.example/b.png?sign=1\"]}","note":"who? #1"`)
	base := Receive([]byte(text))
	if !strings.HasPrefix(base.EventID, "m1.") || len(base.EventID) != len("m1.")+16 {
		t.Errorf("event id %q", base.EventID)
	}
	for name, again := range map[string]string{
		"times":     strings.Replace(text, "1640244967.924", `1640244999,"retry_count":3,"seq":9`, 1),
		"signed":    strings.ReplaceAll(text, "sign=1", "sign=2"),
		"fragment":  strings.Replace(text, "#x", "", 1),
		"notation":  strings.Replace(text, "LiYang", `L\u0069Yang`, 1),
		"in a mark": bom + text,
	} {
		if r := Receive([]byte(again)); r.EventID != base.EventID || r.IntakeKey != base.IntakeKey {
			t.Errorf("%s: another event", name)
		}
	}
	seen := map[string]string{base.EventID: "the original"}
	for name, other := range map[string]string{
		"order":    strings.Replace(text, "1446377590381088768", "1", 1),
		"note":     strings.Replace(text, "#1", "#2", 1),
		"picture":  strings.Replace(text, "a.png", "c.png", 1),
		"company":  strings.Replace(text, "1704174310933890049", "1", 1),
		"damage":   strings.Replace(text, "who", "\xff", 1),
		"damage 2": strings.Replace(text, "who", "\xfe", 1),
		"id":       strings.Replace(text, "m1", "m2", 1),
	} {
		id := Receive([]byte(other)).EventID
		if seen[id] != "" {
			t.Errorf("%s is the event of %s", name, seen[id])
		}
		seen[id] = name
	}
	if r := Receive([]byte(strings.Replace(text, `"id":"m1",`, "", 1))); r.EventID != r.ContentKey {
		t.Errorf("without an id: %q", r.EventID)
	}
}

// FuzzReceive: any plaintext becomes an event whose words are within the bounds
// that subjects and ids need, and whose data a strict reader can read; whoever
// reads that data finds the same order, if it is about one.
func FuzzReceive(f *testing.F) {
	for _, s := range []string{switched, closed(`,"is_show":"1"`), `{"event":"a","status":"b"}`, `{"event":"opportunity_change","status":"b","msg_data":{"id":1e5}}`, `[]`, `{"create_time":1e30}`, closed(`,"a":1,"a":[{}]`), closed(`,"a":{},"a":{}`), bom + closed("")} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Receive(b)
		if again := Receive(b); again.EventID != r.EventID || !bytes.Equal(again.Data, r.Data) {
			t.Fatal("read twice, read differently")
		}
		if r.Key == "" || len(r.Key) > maxID || r.EventID != events.SafeID(r.EventID) || r.CreateTime.Year() > 9999 {
			t.Fatalf("%+v", r)
		}
		if r.Event != "" && (len(r.Event) > maxWord || r.Status == "" || len(r.Status) > maxWord) {
			t.Fatalf("%+v", r)
		}
		if strings.HasPrefix(r.Key, Unnumbered) != (r.Unnumbered != "") {
			t.Fatalf("key %q, unnumbered %q", r.Key, r.Unnumbered)
		}
		if r.NotJSON {
			return
		}
		if err := strictjson.Check([]byte(fmt.Sprintf(`{"data":{"callback":%s}}`, r.Data))); err != nil {
			t.Fatalf("%v: %s", err, r.Data)
		}
		if n, err := ParseNotice(r.Data); r.Noun != "" && r.Unnumbered == "" && (err != nil || n.Key != r.Key || n.Event != r.Event || n.Status != r.Status) {
			t.Fatalf("read as %s %s %s, and from its data as %+v, %v", r.Event, r.Status, r.Key, n, err)
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	text := []byte(strings.Replace(switched, "请处理", strings.Repeat("请处理", 60), 1))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if r := Receive(text); r.Cause != nil {
			b.Fatal(r.Cause)
		}
	}
}

// Two changes that say the same at different times are two, however the time is
// written; without a time the id tells them apart, and without both nothing does.
func TestTheSameChangeAtAnotherTime(t *testing.T) {
	for _, tt := range []struct{ one, two string }{
		{`1640244967924123`, `1640244990000000`},
		{`"2021-12-23 15:36:07"`, `"2021-12-23 15:40:00"`},
		{`1640244967`, `1640244990`},
	} {
		for _, id := range []string{``, `"id":"a",`} {
			text := func(id, at string) []byte {
				return []byte(`{` + id + `"event":"work_order_change","status":"switch","create_time":` + at + `,"msg_data":{"order_no":"1","handler_id":"x"}}`)
			}
			one, two := Receive(text(id, tt.one)), Receive(text(strings.Replace(id, "a", "b", 1), tt.two))
			if one.ContentKey == two.ContentKey || one.EventID == two.EventID {
				t.Errorf("%s and %s, id %q: content keys %s and %s, ids %s and %s", tt.one, tt.two, id, one.ContentKey, two.ContentKey, one.EventID, two.EventID)
			}
			if again := Receive(text(id, tt.one)); again.ContentKey != one.ContentKey || again.EventID != one.EventID {
				t.Errorf("%s: a redelivery is another event", tt.one)
			}
		}
	}
	timeless := Receive([]byte(`{"id":"a","event":"work_order_change","status":"switch","msg_data":{"order_no":"1"}}`))
	if timeless.ContentKey != "" || timeless.EventID == "" {
		t.Errorf("without a time the content key is %q", timeless.ContentKey)
	}
}
