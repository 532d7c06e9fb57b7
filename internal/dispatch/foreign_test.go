package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
)

// TestForeignMessagesAreALetterEach: what another program puts on a subject that a
// stage reads, and is no event, is one letter, also where the same stands there
// twice; the order's own events go on, and the balance counts it as what it is.
func TestForeignMessagesAreALetterEach(t *testing.T) {
	b := newBridge(t)
	began := time.Now().Add(-time.Hour)
	number, bill := b.order()
	n := 0
	for _, subject := range []string{
		events.CallbackSubject("acme", "work_order_change", "close", number),
		events.EnrichedSubject("acme", events.WorkOrder, "close", number),
		events.ReplaySubject("acme", events.Enrich, events.WorkOrder, number),
		events.ReplaySubject("acme", events.Handle, events.WorkOrder, number),
	} {
		for _, m := range []struct{ kind, data string }{
			{"text/plain", "hello"},
			{"text/plain", "hello"},
			{"", ""},
			{events.ContentType, `{"specversion":"1.0","source":"urn:x","type":"t","data":{}}`},
			{events.ContentType, `{"specversion":"1.0","id":"x","source":"urn:x","data":{}}`},
		} {
			if _, err := b.bus.Publish(t.Context(), bus.Message{Subject: subject, ContentType: m.kind, Data: []byte(m.data)}); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	b.run("one", nil)
	b.ended(b.visit(number, "上门"), "applied")
	b.ended(b.end(number, "修好"), "applied")
	b.until("each is a letter", func() bool { return len(b.letters()) >= n && len(b.outcomes()) >= n+2 })
	letters := map[string]bool{}
	for _, l := range b.letters() {
		letters[string(l.Stage)+" "+l.EventID] = true
		if l.Kind != events.Invalid || l.Key != number {
			t.Errorf("letter of kind %s, order %s: %s", l.Kind, l.Key, l.Reason)
		}
	}
	if len(letters) != n || len(b.letters()) != n || len(b.outcomes()) != n+2 || len(b.notes(bill)) != 2 {
		t.Errorf("%d letters of %d events, %d outcomes, records %v; want %d letters", len(b.letters()), len(letters), len(b.outcomes()), b.notes(bill), n)
	}
	check := func(open int) {
		t.Helper()
		if x := balanceOf(t, b.bus, began); x.Foreign != n || x.Unexplained != 0 || x.Accepted != 7 || x.DeadOpen != open || x.Applied != 2 || x.Again != 0 {
			t.Errorf("balance: %+v", x)
		}
	}
	check(5)
	// One whose bytes are JSON can be sent again, and is the same letter again.
	i := slices.IndexFunc(b.letters(), func(l deadletter.Open) bool { return len(l.Event) > 0 && l.Stage == events.Enrich })
	sent := b.letters()[i]
	if _, err := b.box.Replay(t.Context(), sent.Number, actOf("li")); err != nil {
		t.Fatal(err)
	}
	b.until("it is a letter again", func() bool {
		l := b.letters()
		return len(l) == n && l[n-1].EventID == sent.EventID && l[n-1].Replay == 1 && len(b.outcomes()) == n+3
	})
	check(5)
	i = slices.IndexFunc(b.letters(), func(l deadletter.Open) bool { return l.Stage == events.Enrich && l.Sequence <= 5 }) // a callback's
	if _, err := b.box.Discard(t.Context(), b.letters()[i].Number, deadletter.Act{Who: "li", Reason: "not ours"}); err != nil {
		t.Fatal(err)
	}
	check(4)
}

// A subscriber that never acknowledges is named long before the stream is full, and holds no
// more than its share: callbacks go on. What the bridge itself needs stays.
func TestASubscriberThatNeverAcknowledges(t *testing.T) {
	b := newBridge(t)
	log := b.small()
	change := b.change
	b.change = func(o *dispatch.Options) {
		change(o)
		o.Foreign = 0.75
	}
	number, _ := b.order()
	first := b.visit(number, "上门")
	c, err := b.bus.Consume(t.Context(), bus.ConsumerConfig{Stream: bus.Callbacks, Name: "theirs"}, func(*bus.Delivery) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	b.run("one", nil)
	b.ended(first, "applied")
	if log.has(`"alert"`, "theirs") {
		t.Error("an alert although little is held")
	}
	b.fill(bus.Callbacks, 0.45)
	b.until("an alert names it", func() bool { return log.has(`"alert"`, `"subscriber"`, `"consumers":"theirs"`) })
	if !b.there(bus.Callbacks, 1) {
		t.Fatal("trimmed before its share was taken")
	}
	b.fill(bus.Callbacks, 0.78)
	b.until("its share is trimmed", func() bool { return b.usage(bus.Callbacks) < 0.75 })
	if b.there(bus.Callbacks, 1) || b.usage(bus.Callbacks) < 0.6 {
		t.Errorf("%v of the stream is left", b.usage(bus.Callbacks))
	}
	b.ended(b.end(number, "修好"), "applied")
}
