package ledger_test

import (
	"encoding/json"
	"fmt"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// shown feeds one order and prints what the ledger asks for. Package
// dispatch carries the actions out.
type shown struct {
	order ledger.Order
	at    time.Time
}

func (d *shown) feed(in ledger.Input) {
	fmt.Printf("%T\n", in)
	var actions []ledger.Action
	d.order, actions = ledger.Step(d.order, ledger.Moment{At: d.at}, in, ledger.Defaults("acme"))
	for _, a := range actions {
		fmt.Printf("  %T\n", a)
	}
}

// called brings an order to its call without printing.
func called() *shown {
	d := &shown{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for _, in := range []ledger.Input{
		ledger.Delivered{Stage: events.Handle, Message: ledger.Message{Seq: 1, EventID: "7a1d~enrich~0"}, InOrder: true},
		plan,
		ledger.BillRead{Bill: ledger.Bill{ID: "77", OrderNo: "fwgs-1"}},
		ledger.Entered{},
	} {
		d.order, _ = ledger.Step(d.order, ledger.Moment{At: d.at}, in, ledger.Defaults("acme"))
	}
	return d
}

// plan is what the mapping says of the event.
var plan = ledger.Planned{
	Rule: "close", Mapping: "v1", Bill: ledger.Bill{OrderNo: "fwgs-1"}, IDs: []string{"row-1"},
	Body: json.RawMessage(`{"orderNo":"fwgs-1"}`), Like: "l", Status: "H",
}

// A message passes the stage that calls Kingdee: its mapping, its bill, the
// intent on record, the call, and the outcome. The call stands behind the Write
// that holds its intent.
func ExampleStep() {
	d := &shown{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	d.feed(ledger.Delivered{Stage: events.Handle, Message: ledger.Message{Seq: 1, EventID: "7a1d~enrich~0"}, InOrder: true})
	d.feed(plan)
	d.feed(ledger.BillRead{Bill: ledger.Bill{ID: "77", OrderNo: "fwgs-1"}})
	d.feed(ledger.Entered{})
	d.feed(ledger.Called{})
	fmt.Println("the effect is", d.order.Record.Effects[0].State)
	// Output:
	// ledger.Delivered
	//   ledger.Plan
	// ledger.Planned
	//   ledger.ReadBill
	// ledger.BillRead
	//   ledger.Enter
	// ledger.Entered
	//   ledger.Write
	//   ledger.Call
	// ledger.Called
	//   ledger.Write
	//   ledger.Publish
	//   ledger.Ack
	//   ledger.Leave
	//   ledger.Unlist
	// the effect is applied
}

// A call without a readable outcome is in doubt. Nothing is sent again: after the
// call's deadline the ledger looks for the handling record in Kingdee, and a
// record that is found settles the doubt.
func ExampleStep_doubt() {
	d := called()
	d.feed(ledger.Called{Failure: &events.Failure{Kind: events.Uncertain, Reason: "no answer"}})
	fmt.Println("the effect is", d.order.Record.Effects[0].State)
	d.at = d.at.Add(40 * time.Second)
	d.feed(ledger.Timer{})
	d.feed(ledger.Looked{Found: 1, Understood: true, Control: true})
	fmt.Println("the effect is", d.order.Record.Effects[0].State)
	// Output:
	// ledger.Called
	//   ledger.Write
	//   ledger.Ack
	//   ledger.Wake
	// the effect is in doubt
	// ledger.Timer
	//   ledger.Look
	// ledger.Looked
	//   ledger.Write
	//   ledger.Publish
	//   ledger.Leave
	//   ledger.Next
	// the effect is applied
}

// The failure's kind decides its treatment: a refusal for business reasons is a
// dead letter at once, a vendor that is down costs a wait.
func ExampleTreat() {
	for _, kind := range []events.Kind{events.Rejected, events.Unavailable, events.Uncertain} {
		t := ledger.Treat(ledger.Attempt{Act: ledger.ActCall, Kind: kind}, ledger.Defaults("acme"))
		fmt.Println(kind, t.Do, t.Wait)
	}
	// Output:
	// rejected letter 0s
	// unavailable retry 30s
	// uncertain doubt 0s
}
