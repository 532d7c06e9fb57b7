package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

// again has an event of a work order handled again.
func (b *bridge) again(number, event string, act deadletter.Act) (operate.OrderReplay, error) {
	b.t.Helper()
	return b.acts.ReplayOrder(b.t.Context(), operate.OrderReplayRequest{
		Decision: operate.Decision{Who: act.Who, Reason: act.Reason}, Force: act.Force, Event: event,
		OrderRequest: operate.OrderRequest{Tenant: "acme", Noun: events.WorkOrder, Key: number},
	})
}

// An event that was applied is handled again by force alone: as a new generation
// with a marker of its own, and once however often it is asked for meanwhile.
func TestAnAppliedEventIsHandledAgainByForce(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	id := b.visit(number, "上门")
	b.ended(id, "applied")
	again := func(event string, act deadletter.Act) (operate.OrderReplay, error) {
		return b.again(number, event, act)
	}
	force := deadletter.Act{Who: "wang", Reason: "记录被\n误删", Force: true}
	for _, tt := range []struct {
		event string
		act   deadletter.Act
		want  error
	}{
		{id, deadletter.Act{Who: "wang", Force: true}, deadletter.ErrNeedsReason},
		{id, deadletter.Act{Who: "wang", Reason: "x"}, operate.ErrWasApplied},
		{"another", force, operate.ErrNoEvent},
	} {
		if _, err := again(tt.event, tt.act); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.event, err, tt.want)
		}
	}
	b.paused(events.Handle, "")
	for n := 1; n <= 2; n++ {
		a, err := again(id, force)
		if n == 1 && (err != nil || a.Replay != n || a.Generation != 1) {
			t.Fatalf("%+v, %v", a, err)
		}
		if n == 2 && err != nil && !errors.Is(err, operate.ErrStillWaits) {
			t.Fatal(err)
		}
	}
	if _, err := b.acts.Resume(t.Context(), stageBy(events.Handle, "")); err != nil {
		t.Fatal(err)
	}
	b.until("the second record is there", func() bool { return len(b.kingdee.Records(bill)) == 2 })
	last := b.end(number, "修好")
	b.ended(last, "applied")
	r := b.kingdee.Records(bill)
	if len(r) != 3 || r[0].Remark == r[1].Remark || !strings.HasPrefix(r[1].Remark, "上门 [wb:") {
		t.Errorf("records %+v", r)
	}
	var lines []string
	for _, l := range historyOf(t, b.bus, number, false)[0].Lines {
		lines = append(lines, l.Text)
	}
	for _, want := range []string{"by force: 记录被 误删, as generation 1", "replay 1 was asked for by wang"} {
		if all := strings.Join(lines, "\n"); !strings.Contains(all, want) {
			t.Errorf("the history does not say %q:\n%s", want, all)
		}
	}
}

// A forced replay that dies keeps its force: the replay of its letter makes the
// record that was asked for.
func TestAForcedReplayOutlivesItsLetter(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	id := b.visit(number, "上门")
	b.ended(id, "applied")
	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中", Times: 1})
	act := deadletter.Act{Who: "wang", Reason: "记录被误删", Force: true}
	if _, err := b.again(number, id, act); err != nil {
		t.Fatal(err)
	}
	b.until("it dies", func() bool { return len(b.letters()) == 1 })
	letter := b.letters()[0]
	if letter.Forced != act.Reason || letter.Again != 1 {
		t.Fatalf("letter %+v", letter)
	}
	if _, err := b.box.Replay(t.Context(), letter.Number, actOf("li")); err != nil {
		t.Fatal(err)
	}
	b.until("the second record is there", func() bool { return len(b.kingdee.Records(bill)) == 2 })
	b.ended(b.end(number, "修好"), "applied")
	if n := len(b.kingdee.Records(bill)); n != 3 {
		t.Errorf("%d records", n)
	}
}

// What was ignored needs no force; what has a letter is replayed by that.
func TestAnEventWithoutALetterIsHandledAgain(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, _ := b.order()
	id := b.send(b.weiban.Reply(number, fakeweiban.Act{Staff: "LiYang", Text: "没有规则"}))
	b.ended(id, "ignored")
	act := deadletter.Act{Who: "wang", Reason: "新规则"}
	a, err := b.again(number, id+"~enrich~0", act)
	if err != nil || a.Replay != 1 || a.Generation != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	b.until("it ends again", func() bool { return strings.Count(strings.Join(b.outcomes(), "\n"), id+" ignored") == 2 })

	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
	dead := b.end(number, "修好")
	b.ended(dead, "dead")
	if _, err := b.again(number, dead, act); !errors.Is(err, operate.ErrHasALetter) {
		t.Errorf("%v", err)
	}
}
