package dispatch_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/script"
)

func historyOf(t *testing.T, b *bus.Bus, key string, bodies bool) []inspect.History {
	t.Helper()
	h, err := inspect.HistoryOf(t.Context(), b, "acme", key, bodies)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// told are a history's lines as "what stage: text", for the lines of those kinds.
func told(h inspect.History) []string {
	var out []string
	for _, l := range h.Lines {
		out = append(out, strings.TrimSpace(l.What+" "+string(l.Stage)))
	}
	return out
}

// text is that of the first line of a kind.
func text(t *testing.T, h inspect.History, what string) string {
	t.Helper()
	i := slices.IndexFunc(h.Lines, func(l inspect.Line) bool { return l.What == what })
	if i < 0 {
		t.Fatalf("no line tells of %s: %v", what, told(h))
	}
	return h.Lines[i].Text
}

// An order's whole life stands in its history, in the order of time, and without
// a customer's word unless that is asked for.
func TestHistoryTellsALife(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
	id := b.end(number, "顾客的话")
	b.ended(id, "dead")
	act := deadletter.Act{Who: "wang", Reason: "审批完成"}
	b.until("the owner listens", func() bool {
		_, err := b.acts.Pause(t.Context(), stageBy(events.Enrich, act.Reason))
		return err == nil
	})
	h := historyOf(t, b.bus, number, false)
	if len(h) != 1 || h[0].Noun != events.WorkOrder || h[0].Bill == nil || h[0].Bill.OrderNo != bill {
		t.Fatalf("histories %+v", h)
	}
	want := []string{"callback", "enriched enrich", "call handle", "letter handle", "outcome handle", "pause enrich"}
	if diff := cmp.Diff(want, sorted(told(h[0]), want)); diff != "" {
		t.Fatalf("before the replay (-want +got):\n%s", diff)
	}
	if _, err := b.box.Replay(t.Context(), b.letters()[0].Number, act); err != nil {
		t.Fatal(err)
	}
	if _, err := b.acts.Resume(t.Context(), stageBy(events.Enrich, act.Reason)); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	h = historyOf(t, b.bus, number, false)
	if got := told(h[0]); got[0] != "callback" || !slices.Contains(got, "replay handle") || slices.Contains(got, "letter handle") || slices.Contains(got, "pause enrich") {
		t.Errorf("after the replay: %v", got)
	}
	if s := text(t, h[0], inspect.LineClosed); !strings.Contains(s, "replayed by wang: 审批完成") {
		t.Errorf("closed: %s", s)
	}
	if s := text(t, h[0], inspect.LineCall); !strings.Contains(s, "applied, rule close") || !strings.Contains(s, "marker [wb:") {
		t.Errorf("call: %s", s)
	}
	for _, bodies := range []bool{false, true} {
		raw, err := json.Marshal(historyOf(t, b.bus, number, bodies))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "顾客的话") != bodies {
			t.Errorf("with bodies %v the history is %s", bodies, raw)
		}
	}
	if h := historyOf(t, b.bus, "1446377599999999999", true); len(h) != 0 {
		t.Errorf("an unknown order has %v", h)
	}
}

// sorted puts lines that may have the same time into the wanted order.
func sorted(got, want []string) []string {
	slices.SortStableFunc(got, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) })
	return got
}

// A person settles an order that waits with its letter: the word goes through the
// owner, the letter goes, and the audit says who.
func TestSettleClosesTheLetter(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	b.kingdee.SetListShape(fakekingdee.ListOdd)
	number, _ := b.orderKnown(t)
	b.faultsK.Add(script.Fault{Kind: script.Cut, API: "handle-order", Commit: true})
	id := b.end(number, "修好")
	b.until("a letter waits", func() bool { return len(b.letters()) == 1 })
	l := b.letters()[0]
	h := historyOf(t, b.bus, number, false)[0]
	if s := text(t, h, inspect.LineWaits); !strings.HasPrefix(s, "waits for a person, with a letter") {
		t.Errorf("waits: %s", s)
	}
	if s := text(t, h, inspect.LineLetter); !strings.Contains(s, "the order waits for a person") {
		t.Errorf("letter: %s", s)
	}
	settle := func(word ledger.Word, reason string) error {
		_, err := b.acts.Settle(t.Context(), operate.SettleRequest{Decision: wang(reason), Number: l.Number, Word: word})
		return err
	}
	for _, tt := range []struct {
		word         ledger.Word
		reason, says string
	}{{ledger.SettleApplied, "", "a reason is needed"}, {"perhaps", "looked", "refused"}} {
		if err := settle(tt.word, tt.reason); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q with reason %q: %v", tt.word, tt.reason, err)
		}
	}
	if len(b.letters()) != 1 {
		t.Fatal("a refused word closed the letter")
	}
	if err := settle(ledger.SettleApplied, "the record is there"); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	if n := len(b.letters()); n != 0 {
		t.Errorf("%d letters are open", n)
	}
	if s := text(t, historyOf(t, b.bus, number, false)[0], inspect.LineClosed); !strings.Contains(s, `settled as "applied" by wang: the record is there`) {
		t.Errorf("closed: %s", s)
	}
}

// A letter that was left open by a settling that died can be closed like any other.
func TestLetterOfAnOrderThatWentOn(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	b.kingdee.SetListShape(fakekingdee.ListOdd)
	number, _ := b.orderKnown(t)
	b.faultsK.Add(script.Fault{Kind: script.Cut, API: "handle-order", Commit: true})
	id := b.end(number, "修好")
	b.until("a letter waits", func() bool { return len(b.letters()) == 1 })
	l := b.letters()[0]
	waits := func() bool {
		t.Helper()
		w, err := inspect.Waits(t.Context(), b.bus, l)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if !waits() {
		t.Error("the order does not wait")
	}
	if err := orders.Ask(t.Context(), b.bus, "acme", orders.VerbSettle, orders.Request{
		Stage: l.Stage, Noun: l.Noun, Key: l.Key, Sequence: l.Sequence, Word: ledger.SettleApplied, Who: "wang",
	}); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	if waits() {
		t.Error("the order still waits")
	}
	if _, err := b.acts.Settle(t.Context(), operate.SettleRequest{Decision: wang("x"), Number: l.Number, Word: ledger.Discard}); err == nil {
		t.Error("settled an order that has gone on")
	}
	if _, err := b.box.Discard(t.Context(), l.Number, deadletter.Act{Who: "wang", Reason: "settled", Left: true}); err != nil {
		t.Error(err)
	}
}
