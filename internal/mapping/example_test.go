package mapping_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
)

// closeRule is a mapping of one rule: it finds the bill by an answer of the form
// and the handler by a table.
const closeRule = `version: 1
bill: {orderNo: '${component("金蝶工单号")}'}
tables:
  staff: {rows: {worker-1: {emp: 11, dept: 12}}}
rules:
  - name: close
    when: callback.status == "close"
    late: skip
    body:
      handlesdate: "2026-01-02 08:00:00"
      handleedate: "2026-01-02 09:00:00"
      handlemanid: '${lookup("staff", callback.staff_id, "emp")}'
      handledeptid: '${lookup("staff", callback.staff_id, "dept")}'
      wxztid: H
      processid: 100
      wtyyid: 13
      clfaid: 14
      cljgid: 15
`

// closed is an enriched event of a work order that a worker closed.
func closed(worker string) (*mapping.Input, error) {
	return mapping.NewInput(mapping.Meta{ID: "7a1d~enrich~0", Tenant: "acme", Noun: events.WorkOrder}, events.Enriched{
		Callback: json.RawMessage(`{"id":"7a1d","create_time":1767315600000,"type":"event","event":"work_order_change",` +
			`"status":"close","msg_data":{"order_no":"7","staff_id":"` + worker + `"}}`),
		FetchedAt: time.Date(2026, 1, 2, 1, 0, 1, 0, time.UTC),
		WorkOrder: json.RawMessage(`{"order_no":"7","work_order_component_record_list":[{"title":"金蝶工单号","value":"fwgs-1"}]}`),
	})
}

// An event is matched to the first rule that wants it. The rule gives the bill
// and the body of handle-order.
func ExampleMapping_Match() {
	m, err := mapping.Parse("close.yaml", []byte(closeRule), os.ReadFile, mapping.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := closed("worker-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	match, err := m.Match(in)
	if err != nil || match == nil {
		fmt.Println(match, err)
		return
	}
	bill, err := match.Bill()
	fmt.Println(match.Rule(), match.Late(), bill.OrderNo, err)
	order, err := match.Body("77", bill.OrderNo)
	fmt.Println(order.Body.HandlerID, order.Body.DeptID, order.Body.Status, err)
	// Output:
	// close skip fwgs-1 <nil>
	// 11 12 H <nil>
}

// A word that no table knows is a failure that names rule, field and word, and
// never an empty text in Kingdee.
func ExampleMatch_Body_missingWord() {
	m, err := mapping.Parse("close.yaml", []byte(closeRule), os.ReadFile, mapping.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	in, err := closed("worker-2")
	if err != nil {
		fmt.Println(err)
		return
	}
	match, err := m.Match(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = match.Body("77", "fwgs-1")
	for _, f := range mapping.FailuresOf(err) {
		fmt.Println(f.Kind, f.Rule, f.Field, f.Word)
	}
	// Output:
	// unmapped close handlemanid worker-2
	// unmapped close handledeptid worker-2
}

// A load reports every fault of the file at once, with its place and the word
// that was probably meant.
func ExampleParse_faults() {
	src := strings.NewReplacer("staff_id", "staf_id", "late: skip", "late: drop").Replace(closeRule)
	_, err := mapping.Parse("bad.yaml", []byte(src), os.ReadFile, mapping.Options{})
	for _, f := range mapping.FaultsOf(err) {
		fmt.Println(f)
	}
	// Output:
	// bad.yaml:8:11: rules.close.late: cannot be "drop"; expected "skip", "apply" or "letter"
	// bad.yaml:12:47: rules.close.body.handlemanid: no member "staf_id" in callback; expected "staff_id"; in ${lookup("staff", callback.staf_id, "emp")}
	// bad.yaml:13:48: rules.close.body.handledeptid: no member "staf_id" in callback; expected "staff_id"; in ${lookup("staff", callback.staf_id, "dept")}
}
