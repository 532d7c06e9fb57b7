package weiban

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/strictjson"
)

// page is the object that an example answer of Weiban's pages holds.
func page(t testing.TB, file, member string) (raw json.RawMessage, tree map[string]any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	members, ok := object(b)
	if !ok {
		t.Fatalf("%s is no object", file)
	}
	v, err := strictjson.Decode(members[member])
	if err != nil {
		t.Fatal(err)
	}
	return members[member], v.(map[string]any)
}

// tags are a struct's members by their json names.
func tags(t reflect.Type) map[string]reflect.Type {
	found := make(map[string]reflect.Type)
	for f := range t.Fields() {
		found[f.Tag.Get("json")] = f.Type
	}
	delete(found, "-")
	return found
}

// diffPaths collects the members that one of type and example has and the other
// has not.
func diffPaths(path string, v any, t reflect.Type, report func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			report(path + " is an object")
			return
		}
		known := tags(t)
		for name, member := range v {
			if known[name] == nil {
				report(path + "." + name + " is not in the type")
				continue
			}
			diffPaths(path+"."+name, member, known[name], report)
			delete(known, name)
		}
		for name := range known {
			report(path + "." + name + " is not on the page")
		}
	case []any:
		if t.Kind() != reflect.Slice {
			report(path + " is a list")
			return
		}
		for _, member := range v {
			if _, ok := member.(map[string]any); ok {
				diffPaths(path+"[]", member, t.Elem(), report)
			}
		}
	}
}

// loose makes the forms alike that mean the same: nothing and zero, yes and 1,
// the two notations of a time, number and text.
func loose(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = loose(member)
		}
		return v
	case []any:
		if len(v) == 0 {
			return ""
		}
		for i, member := range v {
			v[i] = loose(member)
		}
		return v
	case nil:
		return ""
	default:
		text := fmt.Sprint(v)
		if at, ok := calendar(text); ok {
			text = fmt.Sprint(at.Unix())
		}
		switch text {
		case "0", "false":
			return ""
		case "true":
			return "1"
		}
		return text
	}
}

func tree(t testing.TB, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := strictjson.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func testPage[T any](t *testing.T, file, member string) {
	raw, example := page(t, file, member)
	var faults []string
	diffPaths(member, example, reflect.TypeFor[T](), func(s string) { faults = append(faults, s) })
	if len(faults) > 0 {
		slices.Sort(faults)
		t.Errorf("type and page differ:\n%s", strings.Join(faults, "\n"))
	}
	var v T
	if err := decode(raw, &v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(loose(example), loose(tree(t, v))); diff != "" {
		t.Errorf("what the page says and what was read differ (-page +read):\n%s", diff)
	}
	// Any member may be null, or missing.
	_, example = page(t, file, member)
	spoil(example, func(path string) {
		b, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		var v T
		if err := decode(b, &v); err != nil {
			t.Errorf("with %s: %v", path, err)
		}
	})
}

// spoil calls try once for each member of the tree set to null, and once for
// each taken away.
func spoil(v any, try func(path string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			kept := v[name]
			v[name] = nil
			try(name + " null")
			delete(v, name)
			try(name + " missing")
			v[name] = kept
			spoil(kept, func(path string) { try(name + "." + path) })
		}
	case []any:
		for i, kept := range v {
			v[i] = nil
			try("member null")
			v[i] = kept
			spoil(kept, try)
		}
	}
}

// The two pages' own examples: every member is known to the types, no member of
// the types is invented, and everything said is read.
func TestPagesExamples(t *testing.T) {
	t.Run("work order", func(t *testing.T) { testPage[WorkOrder](t, "work_order.json", "work_order") })
	t.Run("opportunity", func(t *testing.T) { testPage[Opportunity](t, "opportunity.json", "opportunity") })
	for want, typ := range map[int]reflect.Type{
		21: reflect.TypeFor[ProcessingFlow](), 12: reflect.TypeFor[ComponentRecord](),
		9: reflect.TypeFor[ButtonOperate](), 15: reflect.TypeFor[Property](),
	} {
		if got := len(tags(typ)); got != want {
			t.Errorf("%v has %d members, the page says %d", typ, got, want)
		}
	}
}

func TestWorkOrderOfThePage(t *testing.T) {
	raw, _ := page(t, "work_order.json", "work_order")
	var w WorkOrder
	if err := decode(raw, &w); err != nil {
		t.Fatal(err)
	}
	answers := make(map[string][]string)
	for _, c := range w.Components {
		answers[string(c.Title)] = c.Answers()
		if c.OrderNo != "1471808049579561000" || c.CreatedAt.Time().Format("15:04:05 MST") != "11:43:02 UTC" {
			t.Errorf("component %s: order number %s, created %v", c.Title, c.OrderNo, c.CreatedAt.Time())
		}
	}
	want := map[string][]string{"附件": nil, "多拉下选框": nil, "多选项": nil, "电话": {"45645645632"}, "城市": {"上海"}}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if w.OrderNo != "1471808049579560960" || w.CorpID != "1653682321878942721" {
		t.Errorf("ids %s, %s", w.OrderNo, w.CorpID)
	}
	slices.Reverse(w.ProcessingFlows)
	if rows := w.Flows(); rows[0].ID != "114049" || rows[1].ID != "113921" || w.ProcessingFlows[0].ID != "113921" {
		t.Errorf("rows not newest first, or the order's own rows were moved: %v", rows)
	}
	if ID("99").compare("100") >= 0 || ID("0100").compare("100") != 0 {
		t.Error("ids are not compared as numbers")
	}
}

// A mapping sees the types as they are: nothing but plain kinds, lists, structs.
func TestTypesHavePlainKinds(t *testing.T) {
	var check func(path string, typ reflect.Type)
	check = func(path string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.String, reflect.Bool, reflect.Int64:
		case reflect.Slice:
			check(path+"[]", typ.Elem())
		case reflect.Struct:
			for f := range typ.Fields() {
				name := f.Tag.Get("json")
				if f.Type == reflect.TypeFor[Unread]() {
					continue
				}
				if name == "" || strings.Contains(name, ",") || !f.IsExported() {
					t.Errorf("%s.%s has no plain json tag", path, f.Name)
				}
				check(path+"."+name, f.Type)
			}
		default:
			t.Errorf("%s is a %v", path, typ)
		}
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[WorkOrder](), reflect.TypeFor[Opportunity](), reflect.TypeFor[Callback](), reflect.TypeFor[Staff](),
	} {
		check(typ.Name(), typ)
	}
}

func BenchmarkDecodeWorkOrder(b *testing.B) {
	raw, _ := page(b, "work_order.json", "work_order")
	b.ReportAllocs()
	for b.Loop() {
		var w WorkOrder
		if err := decode(raw, &w); err != nil {
			b.Fatal(err)
		}
	}
}
