package facts

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/textfile"
)

// start is 2025-07-17 08:00:00 in China.
const start = 1752710400

// row is one row of processing_flows.
type row struct {
	id, typ, at           int // at is seconds after start
	creator, to, txt, pic string
}

func (r row) json() string {
	pic := "null"
	if r.pic != "" {
		pic = fmt.Sprintf(`["https://a.example/%s"]`, r.pic)
	}
	return fmt.Sprintf(`{"id":%d,"type":%d,"created_at":%d,"creator_id":%q,"handler_id":%q,"to_id":%q,"content":{"text":%q,"pic":%s}}`,
		r.id, r.typ, start+r.at, r.creator, r.creator, r.to, r.txt, pic)
}

// order is a work order of these rows and these form components, as JSON.
func order(rows []row, components string) json.RawMessage {
	var parts []string
	for _, r := range rows {
		parts = append(parts, r.json())
	}
	return json.RawMessage(fmt.Sprintf(`{"order_no":"7","created_at":%d,"content":{"pic":["https://a.example/note.jpg"]},"processing_flows":[%s],"work_order_component_record_list":[%s]}`,
		start, strings.Join(parts, ","), components))
}

func decodeOrder(t *testing.T, status, staff string, at float64, wo json.RawMessage) *Facts {
	t.Helper()
	cb := fmt.Sprintf(`{"id":"e","event":"work_order_change","status":%q,"create_time":%.3f,"msg_data":{"order_no":"7","staff_id":%q,
		"content":{"pic":["https://a.example/now.jpg"]},"attached_json":[{"type":"video","url":"https://a.example/v.mp4"},{"type":"image","url":"https://a.example/b.png"}]}}`,
		status, start+at, staff)
	f, err := Decode(events.Enriched{Callback: json.RawMessage(cb), WorkOrder: wo}, Meta{Noun: events.WorkOrder})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// life is an order that Wang makes for Li, who passes it on to Hua; Hua replies
// and closes it, and later it is opened again.
func life() []row {
	return []row{
		{id: 1, typ: 1, at: 0, creator: "Wang", pic: "before.jpg"},
		{id: 2, typ: 2, at: 0, creator: "Wang", to: "Li"},
		{id: 3, typ: 3, at: 3600, creator: "Li", to: "Hua", txt: "pass"},
		{id: 4, typ: 2, at: 3600, creator: "Li", to: "Hua"},
		{id: 5, typ: 5, at: 5000, creator: "Hua", txt: "reply"},
		{id: 6, typ: 4, at: 9000, creator: "Hua", txt: "done", pic: "after.jpg"},
		{id: 7, typ: 6, at: 20000, creator: "Wang", to: "Li"},
		{id: 8, typ: 2, at: 20000, creator: "Wang", to: "Li"},
	}
}

func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		name, status, staff, of string
		at                      float64
		rows                    []row
		began, ended            int // seconds after start; -1 is an error
	}{
		{"who passes on", "switch", "Li", "Li", 3600.5, life(), 0, 3600},
		{"to whom it is passed", "switch", "Li", "Hua", 3600.5, life(), 3600, 3600},
		{"who closes", "close", "Hua", "Hua", 9000.2, life(), 3600, 9000},
		{"who had it before", "close", "Hua", "Li", 9000.2, life(), 0, 3600},
		{"who never had it", "close", "Hua", "Mei", 9000.2, life(), -1, -1},
		{"the later history does not count", "close", "Hua", "Wang", 9000.2, life(), -1, -1},
		{"who gets it back", "reopen", "Wang", "Li", 20000, life(), 20000, 20000},
		{"nobody was handed it", "close", "Wang", "Wang", 60, []row{{id: 1, typ: 1, at: 0, creator: "Wang"}, {id: 2, typ: 4, at: 60, creator: "Wang"}}, 0, 60},
		{
			"a switch to oneself ends one step and begins the next", "switch", "Li", "Li", 500,
			[]row{{id: 1, typ: 2, at: 0, creator: "Wang", to: "Li"}, {id: 2, typ: 3, at: 500, creator: "Li", to: "Li"}},
			0, 500,
		},
		{
			"closed in the second in which it was made", "close", "Wang", "Wang", 0.9,
			[]row{{id: 1, typ: 1, at: 0, creator: "Wang"}, {id: 2, typ: 2, at: 0, creator: "Wang", to: "Wang"}, {id: 3, typ: 4, at: 0, creator: "Wang"}},
			0, 0,
		},
		{
			"the same, and two rows could be meant", "close", "Wang", "Wang", 0.9,
			[]row{{id: 2, typ: 2, at: 0, creator: "Wang", to: "Wang"}, {id: 3, typ: 5, at: 0, creator: "Wang"}, {id: 4, typ: 4, at: 0, creator: "Wang"}},
			-1, -1,
		},
		{"no row is tied: the callback's time counts", "close", "Hua", "Hua", 7000, life(), 3600, 7000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := decodeOrder(t, tt.status, tt.staff, tt.at, order(tt.rows, ""))
			for what, got := range map[string]struct {
				of   func(string) (time.Time, error)
				want int
			}{"began": {f.Began, tt.began}, "ended": {f.Ended, tt.ended}} {
				at, err := got.of(tt.of)
				if (err != nil) != (got.want < 0) || err == nil && at.Unix() != start+int64(got.want) {
					t.Errorf("%s: %v, %v; want %d after the start", what, at.Unix()-start, err, got.want)
				}
			}
		})
	}
}

// A step that cannot be told because nothing is tied says so, for the letter.
func TestStepInTheEventsOwnSecond(t *testing.T) {
	f := decodeOrder(t, "close", "Wang", 0.9, order([]row{
		{id: 2, typ: 2, at: 0, creator: "Wang", to: "Wang"}, {id: 3, typ: 5, at: 0, creator: "Wang"}, {id: 4, typ: 4, at: 0, creator: "Wang"},
	}, ""))
	if _, err := f.Began("Wang"); err == nil || !strings.Contains(err.Error(), "written in the event's own second") {
		t.Errorf("%v", err)
	}
}

func TestAnswers(t *testing.T) {
	f := decodeOrder(t, "close", "Hua", 9000, order(life(), `
		{"title":"电话","value":" 123 ","values":""},
		{"title":"城市","value":"","values":["上海"]},
		{"title":"多选项","values":["a","","b"]},
		{"title":"空","value":"","values":null},
		{"title":" 单号 ","value":"x"},
		{"title":"两次","value":"x"},{"title":"两次","value":"y"},
		{"title":"同","value":"x"},{"title":"同","value":"x"},{"title":"同","value":""}`))
	for _, tt := range []struct{ title, one, or, many, fault string }{
		{"电话", "123", "123", "123", ""},
		{"城市", "上海", "上海", "上海", ""},
		{"多选项", "", "", "a b", `components() is for the 2 answers of the form component: "多选项"`},
		{"空", "", "default", "", `nothing was filled in under the form component: "空"`},
		{"单号", "x", "x", "x", ""},
		{"两次", "", "", "", `the form asks this twice and got two answers: "两次"`},
		{"同", "x", "x", "x", ""},
		{"电話", "", "default", "", `the form has "电话" and no component: "电話"`},
		{"zzzzz", "", "default", "", `the form has no component: "zzzzz"`},
	} {
		one, err := f.Answer(tt.title)
		if one != tt.one || (err != nil) != (tt.fault != "") || err != nil && err.Error() != tt.fault {
			t.Errorf("answer %s: %q, %v", tt.title, one, err)
		}
		if or, _ := f.AnswerOr(tt.title, "default"); or != tt.or {
			t.Errorf("answer or default %s: %q", tt.title, or)
		}
		if many, _ := f.Answers(tt.title); strings.Join(many, " ") != tt.many {
			t.Errorf("answers %s: %q", tt.title, many)
		}
	}
	if diff := cmp.Diff([]string{"电话", "城市", "多选项", "空", " 单号 ", "两次", "同"}, f.Titles()); diff != "" {
		t.Error(diff)
	}
}

func TestPictures(t *testing.T) {
	names := func(list []Picture, err error) (out string) {
		if err != nil {
			t.Error(err)
		}
		for _, p := range list {
			out += p.Name + " "
		}
		return strings.TrimSpace(out)
	}
	f := decodeOrder(t, "close", "Hua", 9000, order(life(), ""))
	if got := names(f.Before()); got != "before.jpg note.jpg" {
		t.Errorf("before: %s", got)
	}
	if got := names(f.After()); got != "now.jpg b.png after.jpg" {
		t.Errorf("after: %s", got)
	}
	// The order's note came with a later row: it is no picture from before.
	rows := append(life(), row{id: 9, typ: 3, at: 8000, creator: "Hua", to: "Hua", pic: "note.jpg"})
	if got := names(decodeOrder(t, "close", "Hua", 9000, order(rows, "")).Before()); got != "before.jpg" {
		t.Errorf("before: %s", got)
	}
	got := Pictures([]string{"https://a.example/x/y.png?sign=1", " https://a.example/x/y.png?sign=1", "https://a.example", "ftp://a.example/z", "z.png", "https://a.example/%E5%9B%BE.png", "://"})
	want := []Picture{
		{"https://a.example/x/y.png?sign=1", "y.png"},
		{"https://a.example", "picture-2"},
		{"https://a.example/%E5%9B%BE.png", "图.png"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeKeepsWhatIsSent(t *testing.T) {
	f, err := Decode(events.Enriched{
		Callback:  json.RawMessage(`{"id":"e","event":"work_order_change","status":"close","create_time":1752710400123,"msg_data":{"order_no":"1446377590381088768","staff_id":"Li"}}`),
		WorkOrder: json.RawMessage(`{"order_no":"1446377590381088768"}`),
	}, Meta{ID: "x", Tenant: "acme", Position: "p", Origin: "poll"})
	if err != nil {
		t.Fatal(err)
	}
	if f.Noun() != events.WorkOrder || f.Event.Status != "close" || f.Event.Tenant != "acme" || f.Callback.OrderNo != "1446377590381088768" {
		t.Errorf("%+v, %+v", f.Event, f.Callback)
	}
	if got := f.Callback.CreateTime.UnixMilli(); got != 1752710400123 {
		t.Errorf("create_time %d", got)
	}
	if _, err := f.Ended("Li"); err == nil {
		t.Error("an order without time and rows has an end")
	}
}

func TestMissingWords(t *testing.T) {
	long := strings.Repeat("密", 200)
	for want, m := range map[string]Missing{
		`table staff has no row "x"`:          {Table: "staff", Word: "x"},
		`table staff has no dept for "x"`:     {Table: "staff", Column: "dept", Word: "x"},
		`not a number: "x"`:                   {Reason: "not a number", Word: "x"},
		"division by zero":                    {Reason: "division by zero"},
		`: "` + strings.Repeat("密", 60) + `…`: {Reason: "r", Word: textfile.Shorten(long)},
	} {
		if got := m.Error(); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
