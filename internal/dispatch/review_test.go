package dispatch_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/script"
)

// A message of an evicted order comes again only after AckWait. Until then the
// consumer's unbroken sequence vouches for nothing: what comes next of that order
// must not be run before it.
func TestWhatWasLetGoIsNotOvertaken(t *testing.T) {
	log := &testLog{}
	b := newBridge(t)
	b.log = log
	b.change = func(o *dispatch.Options) { o.AckWait = 3 * time.Second }
	number, bill := b.order()
	state, key := b.bus.Bucket("STATE"), "order.acme.work_order."+number
	if _, err := state.Put(t.Context(), key, []byte("{")); err != nil {
		t.Fatal(err)
	}
	b.run("one", nil)
	b.visit(number, "第一次")
	b.until("it is evicted", func() bool { return log.has("order evicted from memory") })
	if err := state.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	b.ended(b.end(number, "修好"), "applied")
	if diff := cmp.Diff([]string{"第一次", "修好"}, b.notes(bill)); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
}

// faulty refuses one letter.
type faulty struct {
	deadletter.Log
	spent atomic.Bool
}

func (f *faulty) Publish(ctx context.Context, m bus.Message) (bus.Ack, error) {
	if f.spent.CompareAndSwap(false, true) {
		return bus.Ack{}, errors.New("no answer")
	}
	return f.Log.Publish(ctx, m)
}

func TestAnOrderThatIsLetGoLeavesItsBill(t *testing.T) {
	b := newBridge(t)
	b.box = deadletter.NewBox(&faulty{Log: b.bus}, time.Now)
	bill := fakekingdee.BillNo(78)
	one, two := b.orderFor(bill), b.orderFor(bill)
	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
	b.run("one", nil)
	b.ended(b.end(one, "甲"), "dead")
	b.ended(b.end(two, "乙"), "applied")
}

func TestABillThatIsLeftIsTakenAtOnce(t *testing.T) {
	b := newBridge(t)
	bill := fakekingdee.BillNo(79)
	one, two := b.orderFor(bill), b.orderFor(bill)
	b.faultsK.Add(script.Fault{Kind: script.Slow, API: "handle-order", Delay: 200 * time.Millisecond})
	b.run("one", func(s *ledger.Settings) { s.LockWait = time.Hour })
	first, second := b.visit(one, "甲"), b.visit(two, "乙")
	b.ended(first, "applied")
	b.ended(second, "applied")
}

func TestAWordThatCannotBeTakenIsRefused(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	if _, err := b.bus.Bucket("STATE").Put(t.Context(), "order.acme.work_order.7", []byte("{")); err != nil {
		t.Fatal(err)
	}
	ask := func(r orders.Request) error {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		return orders.Ask(ctx, b.bus, "acme", orders.VerbSettle, r)
	}
	b.until("the owner is there", func() bool { return !errors.Is(ask(orders.Request{}), bus.ErrNoResponders) })
	for _, r := range []orders.Request{
		{Stage: events.Handle, Key: "8", Sequence: 1, Word: ledger.TryAgain},
		{Stage: events.Handle, Noun: "a.b", Key: "8", Sequence: 1, Word: ledger.TryAgain},
		{Stage: "x", Noun: events.WorkOrder, Key: "8", Sequence: 1, Word: ledger.TryAgain},
		{Stage: events.Handle, Noun: events.WorkOrder, Sequence: 1, Word: ledger.TryAgain},
		{Stage: events.Handle, Noun: events.WorkOrder, Key: "7", Sequence: 1, Word: ledger.TryAgain},
	} {
		if err := ask(r); !errors.Is(err, orders.ErrRefused) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// A follower becomes the head only when the one before it ends, so that its wait
// is young when its message is not.
func TestFollowersAreLettersBeforeTheyExpire(t *testing.T) {
	b := newBridge(t)
	b.bus = bustest.Connect(t, bustest.Server(t), bus.Options{Limits: bus.Limits{
		Of: map[string]bus.Limit{"CALLBACKS": {MaxAge: 20 * time.Second}},
	}})
	b.box = deadletter.NewBox(b.bus, time.Now)
	b.change = func(o *dispatch.Options) { o.Expiry = 3 * time.Second }
	number, _ := b.order()
	if err := b.weiban.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.run("one", func(s *ledger.Settings) { s.Waits = []time.Duration{time.Hour} })
	for range 4 {
		b.visit(number, "上门")
	}
	b.until("all are letters", func() bool { return len(b.letters()) == 4 })
	for _, l := range b.letters() {
		if len(l.Event) == 0 {
			t.Errorf("letter %d without its event: %s", l.Number, l.Reason)
		}
	}
}

// Whatever stands in a stream ends as a letter, and holds up nothing.
func TestWhatCannotBeReadBecomesALetter(t *testing.T) {
	b := newBridge(t)
	log := &testLog{}
	b.log = log
	b.run("one", nil)
	n := 0
	for i, m := range []struct{ subject, kind, data string }{
		{"gongdan.acme.event.enriched.work_order.close.k0", "application/cloudevents+json", "{"},
		{"gongdan.acme.event.enriched.work_order.close.k1", "", ""},
		{"gongdan.acme.event.enriched.work_order.close.k2", "application/cloudevents+json", `{"specversion":"1.0","id":"x2","source":"urn:x","type":"t"}`},
		{"gongdan.acme.event.enriched.work_order.close.k3", "application/cloudevents+json", `{"specversion":"1.0","id":"x3","source":"urn:x","type":"t","data":{"callback":1},"tenant":"other","position":"z"}`},
		{"gongdan.acme.event.enriched.opportunity.close.k4", "application/cloudevents+json", `{"specversion":"1.0","id":"x4~y","source":"urn:x","type":"t","datacontenttype":"text/plain","data_base64":"AAAA"}`},
		{"gongdan.acme.replay.handle.work_order.k5", "application/cloudevents+json", `{"specversion":"1.0","id":"x5","source":"urn:x","type":"t","data":null}`},
		{"gongdan.acme.replay.enrich.work_order.k6", "text/plain", "x"},
		{"gongdan.acme.replay.enrich.work_order.k7", "application/cloudevents+json", `{"specversion":"1.0","id":"x7","source":"urn:x","type":"t","data":{}}`},
		{"gongdan.acme.event.weiban.work_order_change.close.k8", "application/cloudevents+json", `{"specversion":"1.0","id":"x8","source":"urn:x","type":"t","data":{"event":"opportunity_change"}}`},
		{"gongdan.acme.event.enriched.work_order.close.k9", "application/cloudevents+json", `{"specversion":"1.0","id":"` + strings.Repeat("y", 70000) + `","source":"urn:x","type":"t"}`},
		{"gongdan.acme.event.enriched.work_order.close.k10", "application/cloudevents+json", `{"specversion":"1.0","id":"中文 \u0001 id","source":"urn:x","type":"t"}`},
	} {
		if _, err := b.bus.Publish(t.Context(), bus.Message{Subject: m.subject, ContentType: m.kind, Data: []byte(m.data)}); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		n++
	}
	b.until("all are letters", func() bool { return len(b.letters()) == n && len(b.outcomes()) == n })
	if got := log.count("order evicted from memory"); got > 0 {
		t.Errorf("%d times evicted", got)
	}
}

// An order that cannot be loaded is tried less and less often, and holds up no stop.
func TestAnUnreadableRecordIsNoHotLoop(t *testing.T) {
	log := &testLog{}
	b := newBridge(t)
	b.log = log
	b.change = func(o *dispatch.Options) { o.Beat = 50 * time.Millisecond }
	number, _ := b.order()
	if _, err := b.bus.Bucket("STATE").Put(t.Context(), "order.acme.work_order."+number, []byte("{")); err != nil {
		t.Fatal(err)
	}
	stop := b.run("one", nil)
	b.visit(number, "上门")
	b.until("it is evicted", func() bool { return log.count("order evicted from memory") >= 5 }) // 50, 100, 200, 400, now 800 ms
	began := time.Now()
	stop()
	if took := time.Since(began); took > 600*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
	if n := log.count("order evicted from memory"); n > 5 {
		t.Errorf("evicted %d times", n)
	}
}
