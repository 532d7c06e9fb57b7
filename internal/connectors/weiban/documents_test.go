package weiban

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/testwing/connectortest"
)

// drifts are what a tree finds in a document, as "what path shape count/of".
func drifts(t testing.TB, tree *drift.Tree, doc []byte) (all []string) {
	t.Helper()
	for _, f := range tree.Look(doc) {
		all = append(all, strings.Join(strings.Fields(string(f.What)+" "+f.Path+" "+f.Shape.String()), " "))
	}
	return all
}

// Weiban's own examples do not drift, but for the one callback of which no page
// tells.
func TestPagesDoNotDrift(t *testing.T) {
	known := NewDocuments()
	workOrder, _ := page(t, "work_order.json", "work_order")
	opportunity, _ := page(t, "opportunity.json", "opportunity")
	const envelope = `{"id":"6f0c","corp_id":"1704174310933890049","create_time":1640244967.924,"type":"event",`
	for _, c := range []struct {
		name string
		tree *drift.Tree
		doc  []byte
		want []string
	}{
		{"work order", known.WorkOrder, workOrder, nil},
		{"opportunity", known.Opportunity, opportunity, nil},
		{"create", known.Callback(EventWorkOrder), []byte(envelope + `"event":"work_order_change","status":"create",
			"msg_data":{"order_no":"1446377590381088768","staff_id":"LiYang"}}`), nil},
		{"switch", known.Callback(EventWorkOrder), []byte(envelope + `"event":"work_order_change","status":"switch","retry_count":0,"seq":1,
			"msg_data":{"order_no":"1446377590381088768","staff_id":"LiYang","staff_ext_id":"x","handler_id":"LiHua","cc_list":["LiMei"],
			"content":{"text":"note","pic":["https://e.example/a.png"]},"is_show":1,"attached_json":[{"type":"image","url":"https://e.example/b.png"}]}}`), nil},
		{"an opportunity's", known.Callback(EventOpportunity), []byte(envelope + `"event":"opportunity_change","status":"stage","msg_data":{"id":7}}`), nil},
		{
			"an event that no page tells of", known.Callback("meeting_change"),
			[]byte(envelope + `"event":"meeting_change","status":"create","msg_data":{"meeting":{"id":"1","title":"例会","members":{"staff_list":["LiYang"]}}}}`),
			[]string{"unknown msg_data object"},
		},
		{
			"what is no notice", known.Callback(""), []byte(`{"event":"work_order_change","status":"close","msg_data":{}}`),
			[]string{"not understood object"},
		},
	} {
		if diff := cmp.Diff(c.want, drifts(t, c.tree, c.doc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Every member of the pages' examples is noticed when it goes, when it comes
// under another name, and, if the types declare one, when its type changes.
func TestEveryMemberIsWatched(t *testing.T) {
	known := NewDocuments()
	for _, c := range []struct {
		file   string
		tree   *drift.Tree
		member string
	}{{"work_order.json", known.WorkOrder, "work_order"}, {"opportunity.json", known.Opportunity, "opportunity"}} {
		_, doc := page(t, c.file, c.member)
		tried := 0
		try := func(what, path string) {
			t.Helper()
			tried++
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range drifts(t, c.tree, b) {
				if strings.HasPrefix(d+" ", what+" "+path+" ") {
					return
				}
			}
			t.Errorf("%s: %s %s is not noticed: %q", c.member, what, path, drifts(t, c.tree, b))
		}
		plant(doc, "", try)
		if tried < 300 {
			t.Errorf("%s: only %d mistakes were planted", c.member, tried)
		}
	}
}

// plant makes three mistakes at every member of the tree, one at a time.
func plant(v any, path string, try func(what, path string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at := strings.TrimPrefix(path+"."+name, ".")
			kept := v[name]
			delete(v, name)
			try("gone", at)
			v[name+"_2"] = kept
			try("unknown", at+"_2")
			delete(v, name+"_2")
			v[name] = map[string]any{"a": 1}
			if _, ok := kept.(map[string]any); ok {
				v[name] = []any{1}
			}
			if name != "value" && name != "values" && name != "options" { // of no declared type
				try("other type", at)
			}
			v[name] = kept
			plant(kept, at, try)
		}
	case []any:
		for _, member := range v {
			plant(member, path+"[]", try)
		}
	}
}

// A detail that drifts is counted when it is read, also where a member cannot be read.
func TestDriftIsCounted(t *testing.T) {
	v := newVendor(t)
	meter, counts := connectortest.Drifts(t)
	counter, err := drift.NewCounter(meter)
	if err != nil {
		t.Fatal(err)
	}
	c := v.client(t, connectors.MemoryVault())
	c.o.Drift = counter
	raw, _ := page(t, "work_order.json", "work_order")
	for from, to := range map[string]string{`"title":`: `"priority": 3, "title":`, `"status": 10`: `"status": {"id": 10}`, `"stage_name": "",`: ``} {
		v.answers[APIWorkOrder] = saying(`{"errcode":0,"errmsg":"ok","work_order":` + strings.ReplaceAll(string(raw), from, to) + `}`)
		if _, err := c.WorkOrder(t.Context(), orderNo); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	want := map[string]int64{
		"weiban work_order unknown priority": 1, "weiban work_order unknown work_order_component_record_list[].priority": 1,
		"weiban work_order other type status": 1, "weiban work_order gone stage_name": 1,
	}
	if diff := cmp.Diff(want, counts()); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func BenchmarkDrift(b *testing.B) {
	known := NewDocuments()
	for _, c := range []struct {
		file, member string
		tree         *drift.Tree
	}{{"work_order.json", "work_order", known.WorkOrder}, {"opportunity.json", "opportunity", known.Opportunity}} {
		b.Run(c.member, func(b *testing.B) {
			raw, _ := page(b, c.file, c.member)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if len(c.tree.Look(raw)) > 0 {
					b.Fatal("the page's example drifts")
				}
			}
		})
	}
}
