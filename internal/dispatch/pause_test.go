package dispatch_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
)

// paused has a stage paused, once there is an owner.
func (b *bridge) paused(s events.Stage, reason string) {
	b.t.Helper()
	b.until("the owner answers", func() bool {
		_, err := b.acts.Pause(b.t.Context(), stageBy(s, reason))
		return err == nil
	})
}

// waits reports whether an order is listed as waiting.
func (b *bridge) waits(number string) bool {
	_, err := b.bus.Bucket("STATE").Get(b.t.Context(), "wait.acme.work_order."+number)
	return err == nil
}

// A person pauses a stage to mend its mapping: no event is planned before it is resumed, so
// that no event becomes a letter of the mapping that is being mended.
func TestAPausedStageMakesNoLetters(t *testing.T) {
	b := newBridge(t)
	live := b.live(mapping.Options{})
	sound := b.rules()
	b.run("one", nil)
	number, _ := b.order()
	b.ended(b.visit(number, "上门"), "applied")
	b.paused(events.Handle, "the mapping is mended")
	b.write(bytes.Replace(sound, []byte("金蝶工单号"), []byte("金蝶单号"), 1))
	if _, err := live.Reload(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 3 {
		ids = append(ids, b.visit(number, fmt.Sprint(i)))
	}
	b.until("it waits", func() bool { return b.waits(number) })
	wait := time.NewTimer(400 * time.Millisecond) // four probes
	<-wait.C
	if list := b.letters(); len(list) > 0 {
		t.Fatalf("%d letters while the stage was paused: %s", len(list), list[0].Reason)
	}
	b.write(sound)
	if _, err := live.Reload(); err != nil {
		t.Fatal(err)
	}
	if was, err := b.acts.Resume(t.Context(), stageBy(events.Handle, "")); err != nil || was == nil || was.Who != "wang" {
		t.Fatalf("resumed from %+v, %v", was, err)
	}
	for _, id := range ids {
		b.ended(id, "applied")
	}
}

// A paused stage enrich fetches nothing.
func TestAPausedEnrichFetchesNothing(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	b.paused(events.Enrich, "Weiban is asked to mend its form")
	number, _ := b.order()
	before := fmt.Sprint(b.weiban.Calls())
	id := b.end(number, "修好")
	b.until("it waits", func() bool { return b.waits(number) })
	wait := time.NewTimer(300 * time.Millisecond)
	<-wait.C
	if after := fmt.Sprint(b.weiban.Calls()); before != after {
		t.Errorf("called while paused: %v, before %v", after, before)
	}
	if _, err := b.acts.Resume(t.Context(), stageBy(events.Enrich, "")); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
}

// A second pause says by whom the stage is paused already, and leaves that as it is.
func TestASecondPauseSaysSo(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	b.paused(events.Handle, "upgrade")
	other := stageBy(events.Handle, "another reason")
	other.Who = "li"
	was, err := b.acts.Pause(t.Context(), other)
	if err != nil || was == nil || was.Who != "wang" || was.Why != "upgrade" || was.At.IsZero() {
		t.Fatalf("%+v, %v", was, err)
	}
	list, err := b.acts.Pauses(t.Context(), "")
	if err != nil || len(list["acme"]) != 1 || list["acme"][0].Who != "wang" {
		t.Errorf("%+v, %v", list, err)
	}
	x, err := b.acts.Balance(t.Context(), "acme", time.Now().Add(-time.Hour), func(string, uint64, uint64) {})
	if err != nil || len(x.Paused) != 1 || x.Paused[0].Stage != events.Handle {
		t.Errorf("%+v, %v", x.Paused, err)
	}
}
