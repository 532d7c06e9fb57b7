package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/schemas"
)

// A subscriber decodes a message of stream EVENTS by its content type. The data
// is read apart, into whatever the subscriber needs of it.
func ExampleDecode() {
	message := []byte(`{"specversion":"1.0","id":"7a1d-0c2f~applied~0","type":"com.kingdee.handle_order.applied.v1",` +
		`"source":"urn:kingdee:account:1","subject":"1446377590381088768","tenant":"acme","datacontenttype":"application/json",` +
		`"data":{"outcome":"applied","stage":"handle","noun":"work_order","key":"1446377590381088768","rule":"close"}}`)
	e, err := events.Decode("application/cloudevents+json", message)
	if err != nil {
		fmt.Println(err)
		return
	}
	var outcome events.HandleOutcome
	if err := json.Unmarshal(e.Data(), &outcome); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Type(), "of", events.Extension(e, events.ExtTenant))
	fmt.Println("order", e.Subject(), "is", outcome.Outcome, "by rule", outcome.Rule)
	// Output:
	// com.kingdee.handle_order.applied.v1 of acme
	// order 1446377590381088768 is applied by rule close
}

// What is no CloudEvent is refused with an error of one class. The error never
// holds the data.
func ExampleDecode_refused() {
	_, err := events.Decode("application/json", []byte(`{"answer":"from a form"}`))
	fmt.Println(errors.Is(err, events.ErrNotEvent))
	// Output:
	// true
}

// A verified callback becomes a CloudEvent. Weiban's plaintext is its data and
// stays as it is; the codec holds it to the schema of its type.
func ExampleNewCallback() {
	e, err := events.NewCallback(context.Background(), events.Callback{
		Tenant: "acme", CorpID: "1704174310933890049", ID: "7a1d",
		Event: "work_order_change", Status: "close", Key: "1446377590381088768",
		Time: time.UnixMilli(1640244967924), Origin: events.FromCallback,
		Data: []byte(`{"id":"7a1d","corp_id":"1704174310933890049","create_time":1640244967924,"type":"event",` +
			`"event":"work_order_change","status":"close","msg_data":{"order_no":"1446377590381088768"}}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := schemas.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = events.NewCodec(set).Encode(e)
	fmt.Println(e.Type())
	fmt.Println(e.Source(), e.Subject(), e.Time().Format(time.RFC3339Nano))
	fmt.Println("fault:", err)
	// Output:
	// com.weibanzhushou.work_order_change.close.v1
	// urn:weiban:corp:1704174310933890049 1446377590381088768 2021-12-23T07:36:07.924Z
	// fault: <nil>
}

// A subject names tenant, event, status and order, so that a subscriber can
// filter by any of them. Bytes that are not safe in a subject are written =XX.
func ExampleCallbackSubject() {
	s := events.CallbackSubject("acme", "work_order_change", "close", "NO.7")
	event, status, key, err := events.ParseCallback(s)
	fmt.Println(s)
	fmt.Println(event, status, key, err)
	// Output:
	// gongdan.acme.event.weiban.work_order_change.close.NO=2E7
	// work_order_change close NO.7 <nil>
}

// A stage reads its events and its replays. The route says for which order a
// message is, and whether it was sent again.
func ExampleParseRoute() {
	for _, filter := range events.StageFilters("acme", events.Handle, events.WorkOrder) {
		fmt.Println(filter)
	}
	r, err := events.ParseRoute(events.ReplaySubject("acme", events.Handle, events.WorkOrder, "7"))
	fmt.Println(r.Stage, r.Noun, r.Key, r.Replay, err)
	// Output:
	// gongdan.acme.event.enriched.work_order.*.*
	// gongdan.acme.replay.handle.work_order.*
	// handle work_order 7 true <nil>
}

// A failure keeps its kind under every wrapping. The kind alone decides what
// becomes of the event, and on which shelf its dead letter waits.
func ExampleKindOf() {
	refused := &events.Failure{Kind: events.Rejected, API: "kingdee handle-order", Reason: "the bill is closed"}
	err := fmt.Errorf("handle order 7: %w", refused)
	fmt.Println(events.KindOf(err), events.KindOf(err).Shelf())
	fmt.Println(events.KindOf(context.Canceled), events.KindOf(errors.New("index out of range")))
	// Output:
	// rejected business
	// interrupted internal
}
