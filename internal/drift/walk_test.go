package drift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/strictjson"
)

// reference is Look by way of decoding: how many objects have what at which path.
type reference struct {
	tree  *Tree
	count map[string]int
	met   map[string]int
}

func (r *reference) value(v any, n *node, in map[string]bool) {
	f := Number
	switch v := v.(type) {
	case nil:
		return
	case string:
		f = Text
	case bool:
		f = Bool
	case map[string]any:
		f = Object
	case []any:
		if f = List; len(v) == 0 {
			return
		}
	}
	if n.forms&f == 0 {
		in[string(OtherType)+" "+n.path] = true
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if n.members == nil {
			return
		}
		r.met[n.path]++
		here := map[string]bool{}
		for name, x := range v {
			if m, ok := n.members[name]; ok {
				r.value(x, m, here)
			} else {
				here[string(Unknown)+" "+below(n.path, shown(name, n.members))] = true
			}
		}
		for name, m := range n.members {
			if _, ok := v[name]; !ok && slices.Contains(n.needed, m) {
				here[string(Gone)+" "+m.path] = true
			}
		}
		for k := range here {
			r.count[k]++
		}
	case []any:
		for _, x := range v {
			if n.elem != nil {
				r.value(x, n.elem, in)
			}
		}
	}
}

func decoded(b []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// agree holds Look against the reference, for a document that is JSON.
func agree(t interface{ Errorf(string, ...any) }, tree *Tree, doc []byte) {
	r := reference{tree: tree, count: map[string]int{}, met: map[string]int{document: 1}}
	root := map[string]bool{}
	r.value(decoded(doc), tree.root, root)
	for k := range root {
		r.count[k]++
	}
	found, met := tree.look(doc)
	got := map[string]int{}
	for _, f := range found {
		got[string(f.What)+" "+f.Path] = f.Count
		if f.Count > f.Of {
			t.Errorf("%+v", f)
		}
	}
	if len(found) >= maxFindings {
		return
	}
	if diff := cmp.Diff(r.count, got); diff != "" || !maps.Equal(met, r.met) {
		t.Errorf("%s\nobjects %v, want %v; findings (-decoded +walked):\n%s", doc, met, r.met, diff)
	}
}

func FuzzLook(f *testing.F) {
	for _, s := range []string{
		whole, `{}`, `[]`, `null`, `{"a":`, `{"a" 1}`, `{"a":1,}`, `"\`, `{"\u006fpen":{}}`, `{"rows":[[{"id":[]}],1,{}]}`, `{"rows":[{"x":1},{"x":2}]}`,
		strings.Repeat(`{"rows":[`, 30), `{"staff":[["a"]]}`, "\x00", `}`, `{"note":{"text":{"note":"x"}}}`, `{"free":tru`, `1 2`,
	} {
		f.Add([]byte(s))
	}
	tree := orders()
	f.Fuzz(func(t *testing.T, doc []byte) {
		found := tree.Look(doc)
		if strictjson.Check(doc) == nil {
			agree(t, tree, doc)
		} else if len(found) == 1 && found[0].Count != 1 {
			t.Errorf("%q: %+v", doc, found)
		}
	})
}

// value draws JSON whose texts, numbers and some of whose names are secrets.
func value(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if depth == 0 {
			kind %= 4
		}
		switch kind {
		case 0:
			return rapid.SampledFrom([]any{nil, true, ""}).Draw(t, "nothing")
		case 1:
			return secret.Draw(t, "text")
		case 2:
			return json.Number(rapid.StringMatching(`[1-9][0-9]{9,18}`).Draw(t, "number"))
		case 3:
			return "https://files.example/" + secret.Draw(t, "name")
		case 4, 5:
			return rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list")
		default:
			return rapid.MapOfN(name, value(depth-1), 0, 10).Draw(t, "object")
		}
	})
}

// Whatever a document holds: the walk agrees with the decoder, and neither its
// values nor the keys that are data occur in a report.
func TestNothingOfAValueIsSaid(t *testing.T) {
	tree := orders()
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(rapid.MapOfN(name, value(3), 0, 10).Draw(t, "document"))
		if err != nil {
			t.Fatal(err)
		}
		agree(t, tree, doc)
		r := NewReport()
		r.Add(tree, Recorded{Kind: "order", JSON: doc, At: time.Unix(1, 0), Event: "event"})
		r.Add(Nothing("weiban", "raw"), Recorded{Kind: "raw", JSON: doc, At: time.Unix(1, 0), Event: "event"})
		said := fmt.Sprintf("%+v", r.Kinds(true))
		for _, s := range secrets(decoded(doc)) {
			if strings.Contains(said, s) {
				t.Fatalf("%s is said of %s:\n%s", s, doc, said)
			}
		}
	})
}

const vendorNames = "order_no status open note rows staff free id to_id text title level created_at userName"

var (
	secret = rapid.StringMatching(`[A-Z][a-z]{2,5}[A-Z][a-z0-9]{3,20}|[0-9]{11,19}|[\p{Han}]{2,4}|[a-f]{2}[0-9]{6}-[0-9a-f]{4}-4[0-9]{4}|wm[A-Z]{6}[a-z]{10}`)
	name   = rapid.OneOf(secret, rapid.SampledFrom(strings.Fields(vendorNames)))
)

// secrets are the texts and numbers of a value, and its keys that are data.
func secrets(v any) (all []string) {
	switch v := v.(type) {
	case string:
		if v != "" {
			all = append(all, v, strings.TrimPrefix(v, "https://files.example/"))
		}
	case json.Number:
		all = append(all, v.String())
	case []any:
		for _, x := range v {
			all = append(all, secrets(x)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !slices.Contains(strings.Fields(vendorNames), name) {
				all = append(all, name)
			}
			all = append(all, secrets(v[name])...)
		}
	}
	return all
}
