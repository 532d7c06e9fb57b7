package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/script"
)

func TestAnOrderIsHandledOnceAndInOrder(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	b.visit(number, "第一次")
	b.visit(number, "第二次")
	b.ended(b.end(number, "修好"), "applied")
	if diff := cmp.Diff([]string{"第一次", "第二次", "修好"}, b.notes(bill)); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
	if n := len(b.letters()); n != 0 {
		t.Fatalf("%d dead letters", n)
	}
}

func TestWhatWaitsIsTakenOver(t *testing.T) {
	b := newBridge(t)
	stop := b.run("one", nil)
	number, bill := b.order()
	if err := b.kingdee.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var last string
	for i := range 5 {
		last = b.visit(number, fmt.Sprint("上门", i))
	}
	b.until("the head is on record", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err == nil
	})
	stop()
	if err := b.kingdee.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	b.run("two", nil)
	b.ended(last, "applied")
	if diff := cmp.Diff([]string{"上门0", "上门1", "上门2", "上门3", "上门4"}, b.notes(bill)); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
	b.until("nothing is listed as waiting", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err != nil
	})
}

func TestDoubtIsSettledByLooking(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	first, _ := b.order()
	b.ended(b.end(first, "先有一条"), "applied") // the positive control
	faults := []script.Fault{
		script.CommitThenCut("handle-order"),
		script.CommitThenGarbage("handle-order", true),
		script.CommitThenHang("handle-order", 0),
		{Kind: script.Cut, API: "handle-order"},                              // did not run: is sent again
		{Kind: script.Code, Code: "5004", API: "handle-order"},               // likewise
		{Kind: script.Code, Code: "5000", API: "handle-order", Commit: true}, // did run
	}
	for i, f := range faults {
		b.faultsK.Add(f)
		number, bill := b.order()
		b.ended(b.end(number, "修好"), "applied")
		if n := len(b.kingdee.Records(bill)); n != 1 {
			t.Errorf("fault %d (%s): %d records", i, f.Kind, n)
		}
	}
}

func TestWithoutControlAPersonSettles(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	b.kingdee.SetListShape(fakekingdee.ListOdd)
	for _, tt := range []struct {
		commit bool
		word   ledger.Word
	}{{true, ledger.SettleApplied}, {false, ledger.SendAgain}} {
		number, bill := b.orderKnown(t)
		b.faultsK.Add(script.Fault{Kind: script.Cut, API: "handle-order", Commit: tt.commit})
		id := b.end(number, "修好")
		b.until("a letter waits", func() bool { return len(b.letters()) == 1 })
		l := b.letters()[0]
		if !l.Waiting || l.Kind != events.Uncertain {
			t.Fatalf("letter %+v", l)
		}
		ask := orders.Request{Stage: l.Stage, Noun: l.Noun, Key: l.Key, Sequence: l.Sequence, Word: tt.word, Who: "wang", Why: "looked"}
		if err := orders.Ask(t.Context(), b.bus, "acme", orders.VerbSettle, ask); err != nil {
			t.Fatal(err)
		}
		b.ended(id, "applied")
		if diff := cmp.Diff([]string{"上门", "修好"}, b.notes(bill)); diff != "" {
			t.Fatalf("%s: records (-want +got):\n%s", tt.word, diff)
		}
		if err := b.bus.Delete(t.Context(), "DEAD", l.Number); err != nil {
			t.Fatal(err)
		}
		if err := orders.Ask(t.Context(), b.bus, "acme", orders.VerbSettle, ask); err == nil {
			t.Fatal("settled twice")
		}
	}
}

// orderKnown is an order whose bill was read while lists were understood.
func (b *bridge) orderKnown(t *testing.T) (string, string) {
	t.Helper()
	b.kingdee.SetListShape(fakekingdee.ListArray)
	number, bill := b.order()
	b.ended(b.visit(number, "上门"), "applied")
	b.kingdee.SetListShape(fakekingdee.ListOdd)
	return number, bill
}

func TestPauseIsDurable(t *testing.T) {
	b := newBridge(t)
	stop := b.run("one", nil)
	b.until("the owner is there", func() bool {
		return orders.Ask(t.Context(), b.bus, "acme", orders.VerbPause, orders.Request{Stage: events.Handle, Who: "wang"}) == nil
	})
	number, bill := b.order()
	id := b.end(number, "修好")
	b.until("it waits", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err == nil
	})
	stop()
	b.run("two", nil)
	b.until("resumed by the next owner", func() bool {
		if len(b.kingdee.Records(bill)) != 0 {
			t.Fatal("called while paused")
		}
		return orders.Ask(t.Context(), b.bus, "acme", orders.VerbResume, orders.Request{Stage: events.Handle, Who: "wang"}) == nil
	})
	b.ended(id, "applied")
}

func TestRefusedCredentialsPauseTheStage(t *testing.T) {
	log := &testLog{}
	b := newBridge(t)
	secret := b.weiban.Secret()
	b.log = log
	b.change = func(o *dispatch.Options) { o.ProbeDenied = time.Second } // many beats, so that the pause is seen
	b.run("one", nil)
	b.weiban.RotateSecret("another")
	b.weiban.ExpireTokens()
	number, _ := b.order()
	id := b.end(number, "修好")
	b.until("it waits", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err == nil
	})
	b.until("the log says so", func() bool { return log.has("stage paused", "credentials were refused") })
	b.weiban.RotateSecret(secret)
	b.ended(id, "applied")
	b.until("the log says that it goes on", func() bool { return log.has("stage resumed") })
	if n := len(b.letters()); n != 0 {
		t.Fatalf("%d dead letters", n)
	}
}

func TestOneDetailServesAllThatWaited(t *testing.T) {
	b := newBridge(t)
	number, bill := b.order()
	if err := b.weiban.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.run("one", nil)
	var last string
	for i := range 6 {
		last = b.visit(number, fmt.Sprint("上门", i))
	}
	b.until("the head is on record", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err == nil
	})
	info := func() bool {
		c, err := b.bus.ConsumerInfo(t.Context(), "CALLBACKS", "enrich-work_order-acme-1")
		return err == nil && c.NumPending == 0 && c.NumAckPending == 0
	}
	b.until("all have been received", info)
	if err := b.weiban.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	b.ended(last, "applied")
	if n := len(b.kingdee.Records(bill)); n != 6 {
		t.Errorf("%d records, want 6", n)
	}
	if n := b.weiban.Calls()["workorder/detail"].Total; n > 2 {
		t.Errorf("%d detail calls for six events of one order", n)
	}
}

func TestTwoOrdersOfOneBillTakeTurns(t *testing.T) {
	b := newBridge(t)
	bill := fakekingdee.BillNo(77)
	one, two := b.orderFor(bill), b.orderFor(bill)
	b.faultsK.Add(script.Fault{Kind: script.Slow, API: "handle-order", Delay: 60 * time.Millisecond, Times: 4})
	b.run("one", nil)
	var ids []string
	for i := range 2 {
		ids = append(ids, b.visit(one, fmt.Sprint("甲", i)), b.visit(two, fmt.Sprint("乙", i)))
	}
	for _, id := range ids {
		b.ended(id, "applied")
	}
	got := b.notes(bill)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"乙0", "乙1", "甲0", "甲1"}, got); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
}

func TestBillThatComesLater(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number := b.orderWithoutBill("fwgs-later")
	id := b.end(number, "修好")
	b.until("it waits", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err == nil
	})
	b.kingdee.AddBill(fakekingdee.Bill{OrderNo: "fwgs-later"})
	b.ended(id, "applied")
	never := b.end(b.orderWithoutBill("fwgs-never"), "修好")
	b.ended(never, "dead")
	if l := b.letters(); len(l) != 1 || l[0].Kind != events.Unmapped {
		t.Fatalf("letters %+v", l)
	}
}

func TestReplayOfALetter(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
	id := b.end(number, "修好")
	b.ended(id, "dead")
	l := b.letters()[0]
	if l.Kind != events.Rejected || l.Waiting {
		t.Fatalf("letter %+v", l)
	}
	if _, err := b.box.Replay(t.Context(), l.Number, actOf("wang")); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	if n := len(b.kingdee.Records(bill)); n != 1 {
		t.Fatalf("%d records", n)
	}
}
