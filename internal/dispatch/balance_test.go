package dispatch_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/script"
)

func balanceOf(t *testing.T, b *bus.Bus, since time.Time) inspect.Balance {
	t.Helper()
	x, err := inspect.BalanceOf(t.Context(), b, "acme", since, func(string, uint64, uint64) {})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// ignoring leaves out of a balance what no test fixes.
func ignoring() cmp.Option {
	return cmp.Options{cmpopts.IgnoreFields(inspect.Balance{}, "Tenant", "Since", "Cut", "Strays"), cmpopts.EquateEmpty()}
}

// Every way in which a callback of a running bridge ends, or waits, is told.
func TestBalanceOfARunningBridge(t *testing.T) {
	b := newBridge(t)
	stop := b.run("one", nil)
	began := time.Now().Add(-time.Hour)
	number, _ := b.order()
	b.ended(b.visit(number, "上门"), "applied")
	b.ended(b.end(number, "修好"), "applied")
	refuse := func() string {
		b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
		n, _ := b.order()
		id := b.end(n, "修好")
		b.ended(id, "dead")
		return id
	}
	refuse() // stays open
	refuse()
	if _, err := b.box.Discard(t.Context(), b.letters()[1].Number, deadletter.Act{Who: "wang", Reason: "by hand"}); err != nil {
		t.Fatal(err)
	}
	again := refuse()
	if _, err := b.box.Replay(t.Context(), b.letters()[1].Number, actOf("li")); err != nil {
		t.Fatal(err)
	}
	b.ended(again, "applied")
	for _, subject := range []string{
		events.CallbackSubject("acme", "customer_change", "add", "7"), events.CallbackSubject("acme", "", "", "raw-1"),
		events.CallbackSubject("other", "work_order_change", "close", "8"),
	} {
		if _, err := b.bus.Publish(t.Context(), bus.Message{Subject: subject, ID: subject, Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.kingdee.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	number, _ = b.order()
	b.visit(number, "一")
	b.visit(number, "二")
	b.until("two wait", func() bool {
		n := 0
		for why, x := range balanceOf(t, b.bus, began).Waiting {
			if strings.HasPrefix(why, "handle: ") {
				n += x
			}
		}
		return n == 2
	})
	stop()
	n, _ := b.order()
	b.end(n, "没人管")
	got := balanceOf(t, b.bus, began)
	waiting := 0
	for _, x := range got.Waiting {
		waiting += x
	}
	got.Waiting = nil
	want := inspect.Balance{
		Published: 2, Accepted: 8, Applied: 3, DeadOpen: 1, DeadClosed: map[string]int{"wang": 1}, InHand: map[string]int{"enrich": 1},
	}
	if diff := cmp.Diff(want, got, ignoring()); diff != "" || waiting != 2 {
		t.Errorf("%d wait; (-want +got):\n%s", waiting, diff)
	}
	if x := balanceOf(t, b.bus, time.Now().Add(time.Minute)); x.Accepted != 0 {
		t.Errorf("from the future on: %+v", x)
	}
}

// stage is a tenant's streams without a bridge, filled by hand.
type stage struct {
	t   *testing.T
	bus *bus.Bus
}

func (s stage) publish(subject, id string, h bus.Header) uint64 {
	s.t.Helper()
	a, err := s.bus.Publish(s.t.Context(), bus.Message{Subject: subject, ID: "acme/" + id, Header: h, Data: []byte("{}")})
	if err != nil {
		s.t.Fatal(err)
	}
	return a.Sequence
}

func (s stage) callback(id, key string) uint64 {
	return s.publish(events.CallbackSubject("acme", "work_order_change", "close", key), id, nil)
}

func (s stage) enriched(id, key string) uint64 {
	return s.publish(events.EnrichedSubject("acme", events.WorkOrder, "close", key), id+"~enrich~0", nil)
}

func (s stage) outcome(id, key string, o events.Outcome, n int) {
	s.publish(events.OutcomeSubject("acme", o, key), fmt.Sprintf("%s~%s~%d", id, o, n), nil)
}

func (s stage) floor(st events.Stage, seq uint64) {
	s.t.Helper()
	_, err := s.bus.Bucket(bus.State).Put(s.t.Context(), "trail.acme."+string(st)+".work_order", fmt.Appendf(nil, `{"epoch":1,"floor":%d}`, seq))
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s stage) record(key string, r ledger.Record) {
	s.t.Helper()
	raw, err := r.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range map[string][]byte{"order.acme.work_order." + key: raw, "wait.acme.work_order." + key: {}} {
		if _, err := s.bus.Bucket(bus.State).Put(s.t.Context(), k, v); err != nil {
			s.t.Fatal(err)
		}
	}
}

// What every stage has settled and that left no outcome behind is found, and so
// is a letter that is gone without a word.
func TestBalanceFindsWhatIsLost(t *testing.T) {
	s := stage{t, bustest.New(t)}
	for i := range 25 {
		s.callback(fmt.Sprint("lost", i), fmt.Sprint("1", i))
	}
	s.callback("vanished", "2")
	s.callback("silent", "3")
	s.callback("late", "4")
	s.callback("again", "4")
	s.callback("held", "5")
	last := s.callback("follower", "5")
	s.enriched("vanished", "2")
	s.enriched("silent", "3")
	settled := s.enriched("late", "4")
	s.outcome("late~enrich~0", "4", events.Superseded, 0)
	if _, err := s.bus.Publish(t.Context(), bus.Message{ // by another program, without a message id
		Subject: events.CallbackSubject("acme", "work_order_change", "close", "7"), ContentType: events.ContentType,
		Data: []byte(`{"specversion":"1.0","id":"theirs","source":"urn:x","type":"t"}`),
	}); err != nil {
		t.Fatal(err)
	}
	s.outcome("theirs~enrich~0", "7", events.Applied, 0)
	s.outcome("again", "4", events.Ignored, 0)
	s.outcome("silent~enrich~0", "3", events.Dead, 0)
	s.floor(events.Enrich, last)
	s.floor(events.Handle, settled)
	s.record("5", ledger.Record{Enrich: ledger.Progress{
		Cursor: last - 2, Behind: true, Head: &ledger.Head{Message: ledger.Message{Seq: last - 1, EventID: "held"}, Why: ledger.Denied},
	}})
	s.callback("fresh", "6")
	got := balanceOf(t, s.bus, time.Now().Add(-time.Hour))
	want := inspect.Balance{
		Accepted: 33, Applied: 1, Superseded: 1, Ignored: 1, Waiting: map[string]int{"enrich: denied": 2}, InHand: map[string]int{"enrich": 1}, Unexplained: 27,
	}
	if diff := cmp.Diff(want, got, ignoring()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if len(got.Strays) != 20 || got.Strays[0].Event != "lost0" || got.Strays[0].Key() != "10" || got.Strays[0].Sequence != 1 {
		t.Errorf("%d strays, the first %+v", len(got.Strays), got.Strays[0])
	}
}

// A replay is where the callback is now, and its outcome is the callback's.
func TestBalanceFollowsReplays(t *testing.T) {
	s := stage{t, bustest.New(t)}
	s.callback("a", "1")
	s.callback("b", "2")
	s.callback("c", "3")
	s.callback("d", "4")
	for _, id := range []string{"a", "b", "c", "d"} {
		s.outcome(id, "1", events.Dead, 0)
	}
	s.outcome("d", "4", events.Ignored, 0) // the same message again is no end of it
	closed := func(id, action string) {
		t.Helper()
		data, err := json.Marshal(deadletter.Audit{Action: action, Tenant: "acme", Who: "wang", Letter: &deadletter.AuditedEvent{EventID: id}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.bus.Publish(t.Context(), bus.Message{Subject: events.AuditSubject("acme", action), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	replay := func(id, key string, n int) uint64 {
		closed(id, deadletter.ActionReplay)
		return s.publish(events.ReplaySubject("acme", events.Enrich, events.WorkOrder, key), fmt.Sprintf("%s/r%d", id, n),
			bus.Header{deadletter.HeaderReplay: {fmt.Sprint(n)}})
	}
	replay("a", "1", 1)
	s.publish(events.EnrichedSubject("acme", events.WorkOrder, "close", "1"), "a~enrich~1", nil)
	s.outcome("a~enrich~1", "1", events.Ignored, 0)
	floor := replay("b", "2", 1)
	replay("c", "3", 1)
	closed("d", deadletter.ActionDiscard)
	s.floor(events.Enrich, floor)
	got := balanceOf(t, s.bus, time.Now().Add(-time.Hour))
	want := inspect.Balance{
		Accepted: 4, Ignored: 1, DeadClosed: map[string]int{"wang": 1}, InHand: map[string]int{"enrich": 1}, Unexplained: 1,
	}
	if diff := cmp.Diff(want, got, ignoring()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(got.Strays[0].Why, "replayed by wang") || got.Strays[0].Event != "b" {
		t.Errorf("stray %+v", got.Strays[0])
	}
}

// Where outcomes have been trimmed, their callbacks are not counted as lost.
func TestBalanceBeginsWhereTheStreamsDo(t *testing.T) {
	s := stage{t, bustest.New(t)}
	for i := range 5 {
		id := fmt.Sprint("m", i)
		s.callback(id, "1")
		s.outcome(id, "1", events.Applied, 0)
	}
	s.floor(events.Enrich, 5)
	if _, err := s.bus.Trim(t.Context(), bus.Events, 4); err != nil {
		t.Fatal(err)
	}
	got := balanceOf(t, s.bus, time.Now().Add(-time.Hour))
	if !got.Cut || got.Accepted != 1 || got.Applied != 1 || got.Unexplained != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := s.bus.Trim(t.Context(), bus.Events, 6); err != nil {
		t.Fatal(err)
	}
	if got := balanceOf(t, s.bus, time.Now().Add(-time.Hour)); got.Accepted != 0 || !got.Cut {
		t.Errorf("with all outcomes gone: %+v", got)
	}
}
