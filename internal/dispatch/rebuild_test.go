package dispatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"gongdan-bridge/internal/dispatch"
)

// A consumer that is gone from the server is made anew behind what was settled, and
// not where its owner began.
func TestARebuiltConsumerReadsNothingTwice(t *testing.T) {
	log := &testLog{}
	b := newBridge(t)
	b.log = log
	b.change = func(o *dispatch.Options) { o.AckWait, o.Stalls = 500*time.Millisecond, 300*time.Millisecond }
	b.run("one", nil)
	number, bill := b.order()
	var last string
	for i := range 8 {
		last = b.visit(number, fmt.Sprint("上门", i))
	}
	b.ended(last, "applied")
	b.until("the floor is on record", func() bool {
		e, err := b.bus.Bucket("STATE").Get(t.Context(), "trail.acme.enrich.work_order")
		var mark struct{ Floor uint64 }
		return err == nil && json.Unmarshal(e.Value, &mark) == nil && mark.Floor == 8
	})
	const consumer = "enrich-work_order-acme-1"
	settled := make(chan string, 64)
	stop, err := b.bus.Serve("$JS.ACK.CALLBACKS."+consumer+".>", func(context.Context, []byte) []byte {
		settled <- ""
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := b.bus.DeleteConsumer(t.Context(), "CALLBACKS", consumer); err != nil {
		t.Fatal(err)
	}
	b.until("it is rebuilt", func() bool { return log.has("consumer rebuilt") })
	b.ended(b.end(number, "修好"), "applied")
	if n := len(b.kingdee.Records(bill)); n != 9 {
		t.Errorf("%d records, want 9", n)
	}
	b.until("the new one is settled", func() bool { return len(settled) > 0 })
	if n := len(settled); n != 1 {
		t.Errorf("%d messages were delivered anew, want the new one alone", n)
	}
}
