package kingdee

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// pageOrder is the example of the vendor's page.
func pageOrder() HandleOrder {
	const file = "https://tf.jdy.com/ierp/tempfile/download.do?configKey=redis.serversForCache.tempfile&id=tempfile-"
	return HandleOrder{ID: "2230413444614467584", Body: Body{
		OrderNo: "fwgs-20250605-00000001", StartDate: "2025-07-17 08:11:41", EndDate: "2025-07-17 18:11:41",
		HandlerID: "1697009251337127936", DeptID: "1697221606960547840", Status: "F", ComboField: "F", Hours: "10", Progress: "2",
		CauseID: "1895123256688528389", SolutionID: "1895123523051994117", ResultID: "2028468841138471936", Note: "处理说明",
		Helpers:     []Helper{{ID: "2234984992394486784"}},
		PhotosPre:   []Photo{{URL: file + "d216cbc4-c434-42a1-87ec-3b10341d306a", Name: "-01353.png"}},
		PhotosAfter: []Photo{{URL: file + "a814cf4c-c040-4e7a-9e31-550d67b766f1", Name: "背景图.png"}},
	}}
}

// TestPageExample: the request's body is the page's example, member by member, in
// its order, and not a byte else; and it reads back.
func TestPageExample(t *testing.T) {
	page, err := os.ReadFile("testdata/handle-order.json")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, page); err != nil {
		t.Fatal(err)
	}
	got, err := pageOrder().encode(false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Error(diff)
	}
	var back HandleOrder
	if err := json.Unmarshal(page, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pageOrder(), back); diff != "" {
		t.Error(diff)
	}
}

// TestSmallestBody: what is not given is sent as the page allows it, never as null.
func TestSmallestBody(t *testing.T) {
	o := HandleOrder{ID: "1", Body: Body{OrderNo: "n"}}
	got, err := o.encode(true)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"entity":"","id":"1","flag":"handle-order","pageindex":1,"pagesize":10,"body_":{"orderNo":"n","handlesdate":"",` +
		`"handleedate":"","handlemanid":"","handledeptid":"","wxztid":"","combofield":"","processid":"","wtyyid":"","clfaid":"",` +
		`"cljgid":"","clsmid":"","labs":[],"lat":"","lgt":"","handleAddress":"","attmentInforspre":[],"attmentInforsafter":[]}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	o.Body.Hours = "ten"
	if b, err := o.encode(false); err == nil {
		t.Errorf("hours that are no number were written: %s", b)
	}
}

// TestOrderKeepsItself: what the record of an effect keeps is what was to be sent;
// hours keep their digits.
func TestOrderKeepsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		o := HandleOrder{ID: rapid.StringMatching(`[0-9]{19}`).Draw(t, "id"), Body: Body{
			OrderNo: text.Draw(t, "order"), Note: text.Draw(t, "note"), Status: "H", ComboField: "H",
			Hours:     json.Number(rapid.StringMatching(`(0|[1-9][0-9]{0,17})(\.[0-9]{1,15})?`).Draw(t, "hours")),
			Helpers:   []Helper{{ID: "1"}},
			PhotosPre: []Photo{{URL: "https://h/?a=1&b=<2>", Name: text.Draw(t, "name")}}, PhotosAfter: []Photo{},
		}}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back HandleOrder
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOrderRefuses(t *testing.T) {
	for _, in := range []string{
		`{"entity":"","id":"1","flag":"delete-order","body_":{}}`,
		`{"entity":"","id":"1","flag":"handle-order","body_":{"orderno2":"x"}}`,
		`{"entity":"","id":"1","id":"2","flag":"handle-order","body_":{}}`,
		`{"entity":"","id":1,"flag":"handle-order","body_":{}}`,
		`{}`, `[]`,
	} {
		var o HandleOrder
		if err := o.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s was read as %+v", in, o)
		}
	}
}
