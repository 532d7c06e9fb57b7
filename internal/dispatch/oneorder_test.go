package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

const calledOften = 15

// Orders that Weiban or Kingdee never answers for readably, while it answers for
// others, hold nobody: no stage pauses, and they become letters after a few tries.
func TestOrdersThatFailAloneHoldNobody(t *testing.T) {
	for name, f := range map[string]script.Fault{
		"page":         {Kind: script.HTML, API: fakeweiban.APIOrder},
		"page 404":     {Kind: script.HTML, API: fakeweiban.APIOrder, Status: 404},
		"half":         {Kind: script.Half, API: fakeweiban.APIOrder},
		"unknown code": {Kind: script.Code, API: fakeweiban.APIOrder, Code: "10099"},
		"empty":        {Kind: script.Verbatim, API: fakeweiban.APIOrder, Text: `{"errcode":0,"errmsg":"ok","work_order":{}}`},
		"other order":  {Kind: script.Verbatim, API: fakeweiban.APIOrder, Text: `{"errcode":0,"errmsg":"ok","work_order":{"order_no":"1"}}`},
		"bill":         {Kind: script.HTML, API: fakekingdee.APIList},
	} {
		t.Run(name, func(t *testing.T) {
			b, log := newBridge(t), &testLog{}
			b.log = log
			faults, f := b.faultsW, f
			if f.API == fakekingdee.APIList {
				faults = b.faultsK
			}
			calls := func() int { return b.weiban.Calls()[f.API].Total + b.kingdee.Calls()[f.API].Total }
			f.Times = -1
			for range 2 {
				number, bill := b.order()
				f.Key = number
				if faults == b.faultsK {
					f.Key = bill
				}
				faults.Add(f)
				b.end(number, "修好")
			}
			b.run("one", nil)
			b.until("both are tried again, while nothing shows that the API is up", func() bool { return calls() >= 6 })
			if n := len(b.letters()); n > 0 && name != "other order" {
				t.Errorf("%d letters before the API was seen to be up", n)
			}
			for range 4 {
				number, _ := b.order()
				b.ended(b.end(number, "修好"), "applied")
			}
			b.until("the two are letters", func() bool { return len(b.letters()) == 2 })
			for _, l := range b.letters() {
				if l.Kind != "invalid" || l.Tries != 3 {
					t.Errorf("a letter of kind %s after %d tries: %s", l.Kind, l.Tries, l.Reason)
				}
			}
			if log.has("stage paused") {
				t.Error("a stage paused")
			}
		})
	}
}

// A page of maintenance for every call, with HTTP 200, is an outage: the breaker
// opens where several orders meet it, or one that others were answered before; no
// order becomes a letter; all go on by themselves.
func TestAMaintenancePageIsAnOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		before, orders int
		opens          bool
	}{
		"several":           {0, 6, true},
		"one after another": {1, 1, true},
		"one alone":         {0, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			b, log := newBridge(t), &testLog{}
			b.log = log
			b.run("one", func(s *ledger.Settings) { s.GiveUp = 100 * time.Millisecond })
			for range tc.before {
				number, _ := b.order()
				b.ended(b.end(number, "修好"), "applied")
			}
			b.faultsW.Add(script.Fault{Kind: script.HTML, API: fakeweiban.APIOrder, Times: -1})
			var ids []string
			for range tc.orders {
				number, _ := b.order()
				ids = append(ids, b.end(number, "修好"))
			}
			calls := func() int { return b.weiban.Calls()[fakeweiban.APIOrder].Total }
			b.until("it is tried often", func() bool { return calls() > calledOften })
			if got := log.has("stage paused"); got != tc.opens {
				t.Errorf("the stage paused: %v, want %v", got, tc.opens)
			}
			if n := len(b.letters()); n > 0 {
				t.Errorf("%d letters while the API was down", n)
			}
			b.faultsW.Clear()
			for _, id := range ids {
				b.ended(id, "applied")
			}
			if n := len(b.letters()); n > 0 {
				t.Errorf("%d letters after an outage: %s", n, strings.Join(b.outcomes(), ", "))
			}
		})
	}
}

// A firewall before Kingdee that refuses one order's call, for the words in it, does
// not pause the stage again and again: others are called, and it becomes a letter.
func TestOneOrderThatIsRefusedHoldsNobody(t *testing.T) {
	b := newBridge(t)
	number, bill := b.order()
	b.faultsK.Add(script.Fault{Kind: script.HTML, Status: 403, API: fakekingdee.APIHandle, Key: bill, Times: -1})
	b.end(number, "修好")
	b.run("one", nil)
	b.until("it is refused", func() bool { return b.kingdee.Calls()[fakekingdee.APIHandle].Total > 1 })
	for range 4 {
		number, _ := b.order()
		b.ended(b.end(number, "修好"), "applied")
	}
	b.until("it is a letter", func() bool { return len(b.letters()) == 1 })
	if l := b.letters()[0]; l.Kind != "invalid" || l.Status != 403 || !strings.Contains(l.Reason, "for other orders the API answers") {
		t.Errorf("letter %s, HTTP %d: %s", l.Kind, l.Status, l.Reason)
	}
	if n := len(b.kingdee.Records(bill)); n != 0 {
		t.Errorf("%d handling records", n)
	}
}
