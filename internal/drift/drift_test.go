package drift

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// order is a document of every sort of member.
type order struct {
	No     string   `json:"order_no"`
	Status int      `json:"status"`
	Open   bool     `json:"open"`
	Note   note     `json:"note"`
	Rows   []row    `json:"rows"`
	Staff  []string `json:"staff"`
	Free   string   `json:"free"`
	Raw    []byte   `json:"-"`
}

type note struct {
	Text string `json:"text"`
}

type row struct {
	ID   int64  `json:"id"`
	To   string `json:"to_id"`
	Note note   `json:"note"`
}

func orders() *Tree {
	return New(Options{
		Vendor: "weiban", Document: "order", Type: reflect.TypeFor[order](),
		Forms: func(path string, t reflect.Type) Forms {
			switch {
			case path == "free":
				return Any
			case t.Kind() == reflect.Int64:
				return Number | Text
			}
			return 0
		},
		Optional: func(path string) bool { return path == "open" },
	})
}

const whole = `{"order_no": "1", "status": 10, "open": true, "note": {"text": ""}, "staff": ["a"], "free": {"a": [1]},
	"rows": [{"id": 1, "to_id": "", "note": null}, {"id": "2", "to_id": "x", "note": {"text": "\"}"}}]}`

func TestLook(t *testing.T) {
	tree := orders()
	for _, c := range []struct {
		name, from, to string
		want           []Finding
	}{
		{"nothing", "", "", nil},
		{"nothing is null", `"1"`, `null`, nil},
		{"nothing is an empty list", `{"text": ""}`, ` [ ] `, nil},
		{"an optional member", `"open": true,`, ``, nil},
		{"unknown", `"status"`, `"level": 3, "status"`, []Finding{{What: Unknown, Path: "level", Shape: Number, Count: 1, Of: 1}}},
		{"an escaped name", `"status"`, `"\u0073tatus"`, nil},
		{"a name inside a text", `"1"`, `"{\"level\": 3}"`, nil},
		{"renamed", `"order_no"`, `"OrderNo"`, []Finding{{What: Unknown, Path: "OrderNo", Shape: Text, Count: 1, Of: 1}, {What: Gone, Path: "order_no", Count: 1, Of: 1}}},
		{"in one row of two", `"to_id": ""`, `"to_id": "", "priority": null`, []Finding{{What: Unknown, Path: "rows[].priority", Shape: Null, Count: 1, Of: 2}}},
		{"in a row's note", `{"text": "\"}"}`, `{"text": "", "html": "<p>"}`, []Finding{{What: Unknown, Path: "rows[].note.html", Shape: Text, Count: 1, Of: 1}}},
		{"gone from one row of two", `"to_id": "",`, ``, []Finding{{What: Gone, Path: "rows[].to_id", Count: 1, Of: 2}}},
		{"gone, and nothing below it", `"note": {"text": ""},`, ``, []Finding{{What: Gone, Path: "note", Count: 1, Of: 1}}},
		{"an object for a text", `"1"`, `{"id": "1", "name": "张三"}`, []Finding{{What: OtherType, Path: "order_no", Shape: Object, Count: 1, Of: 1}}},
		{"a text for a list", `["a"]`, `"a"`, []Finding{{What: OtherType, Path: "staff", Shape: Text, Count: 1, Of: 1}}},
		{"objects in a list", `["a"]`, `["a", {"id": "1"}, {"id": "2"}]`, []Finding{{What: OtherType, Path: "staff[]", Shape: Object, Count: 1, Of: 1}}},
		{"keys that are data", `"status"`, `"18612345678": 1, "LiuYang": {}, "status"`, []Finding{{What: Unknown, Path: "<key>", Shape: Number | Object, Count: 1, Of: 1}}},
		{"any type", `{"a": [1]}`, `7`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := strings.Replace(whole, c.from, c.to, 1)
			if c.from != "" && doc == whole {
				t.Fatal("nothing was planted")
			}
			if diff := cmp.Diff(c.want, tree.Look([]byte(doc)), cmpopts.IgnoreUnexported(Finding{})); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// What is seen of a document that is no such document at all.
func TestLookAtOther(t *testing.T) {
	for doc, want := range map[string]Finding{
		``: {What: NotUnderstood, Shape: notJSON}, `{"order_no": "1"`: {What: NotUnderstood, Shape: notJSON},
		`{} {}`: {What: NotUnderstood, Shape: notJSON}, `{"level": 1,}`: {What: NotUnderstood, Shape: notJSON},
		`[{"id": 1}]`: {What: OtherType, Shape: List}, `"x"`: {What: OtherType, Shape: Text},
	} {
		want.Count, want.Of = 1, 1
		if diff := cmp.Diff([]Finding{want}, orders().Look([]byte(doc)), cmpopts.IgnoreUnexported(Finding{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doc, diff)
		}
	}
	f := Nothing("weiban", "raw").Look([]byte(`{"kind": "x", "at": 1795336215}`))
	if len(f) != 1 || f[0].What != NotUnderstood || f[0].Shape != Object {
		t.Errorf("of a document that is not understood: %+v", f)
	}
}

// Names that are not the vendor's own are data, and are not said.
func TestShown(t *testing.T) {
	for name, want := range map[string]string{
		"id": "id", "_id": "_id", "userName": "userName", "dept.id": "dept.id", "OrderNo": "OrderNo",
		"1446377590381088768": hidden, "wm8xjUCAAAjzIxv1bnZErBXWZgBV2RBg": hidden, "张三": hidden, "LiuYang": hidden,
		strings.Repeat("a", 40): strings.Repeat("a", 40), strings.Repeat("a", 41): hidden, "": hidden,
	} {
		if got := shown(name, map[string]*node{"order_no": nil}); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// A type that a document cannot have is a fault of ours, found at the start.
func TestNewRefuses(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[struct{ A int }](), reflect.TypeFor[struct {
			A int `json:"a,omitempty"`
		}](), reflect.StructOf(many(maxMembers + 1)),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%.40v was taken", typ)
				}
			}()
			New(Options{Type: typ})
		}()
	}
	New(Options{Type: reflect.StructOf(many(maxMembers))})
}

func many(n int) (all []reflect.StructField) {
	for i := range n {
		name := strings.Repeat("x", i+1)
		all = append(all, reflect.StructField{Name: "X" + name, Type: reflect.TypeFor[int](), Tag: reflect.StructTag(`json:"` + name + `"`)})
	}
	return all
}
