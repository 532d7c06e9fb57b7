package dispatch_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

// closing is the plaintext of a close that has happened in Weiban.
func (b *bridge) closing(number, text string) string {
	b.t.Helper()
	n, err := b.weiban.Close(number, fakeweiban.Act{Staff: "LiYang", Text: text})
	if err != nil {
		b.t.Fatal(err)
	}
	return string(n.Plaintext(0))
}

// asBefore publishes a plaintext as versions did that gave an event Weiban's own
// id and no key.
func (b *bridge) asBefore(text string) string {
	b.t.Helper()
	n, err := weiban.ParseNotice([]byte(text))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.publish(events.Callback{
		Tenant: "acme", CorpID: "1", ID: n.ID, Event: n.Event, Status: n.Status, Key: n.Key, Time: n.CreateTime,
		Origin: events.FromCallback, Data: []byte(text),
	}, events.MessageID("acme", n.ID, 0))
}

// duplicateOf is what an event that was ignored says that it was.
func (b *bridge) duplicateOf(id string) string {
	b.t.Helper()
	list, err := b.bus.Page(b.t.Context(), "EVENTS", "gongdan.acme.event.kingdee.handle_order.ignored.*", 1, 100)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range list {
		ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
		if err != nil {
			b.t.Fatal(err)
		}
		var o events.HandleOutcome
		if err := json.Unmarshal(ev.Data(), &o); err != nil {
			b.t.Fatal(err)
		}
		if strings.HasPrefix(ev.ID(), id+"~") {
			return o.DuplicateOf
		}
	}
	return ""
}

// Events that were stored and applied before ids had a key are the same event
// when Weiban delivers them again under the new id, and nothing is called twice;
// the same id with another content is another event and another call.
func TestRedeliveriesStraddleTheUpgradeOfIDs(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	text := b.closing(number, "修好")
	old := b.asBefore(text)
	b.ended(old, "applied")
	again := b.receive([]byte(text))
	if again == old || !strings.HasPrefix(again, old+".") {
		t.Fatalf("event %s became %s", old, again)
	}
	b.ended(again, "ignored")
	if of := b.duplicateOf(again); of == "" {
		t.Error("the redelivery does not say what it repeats")
	}
	other := b.receive([]byte(strings.Replace(text, "修好", "又修好", 1)))
	b.ended(other, "applied")
	if got := b.notes(bill); len(got) != 2 {
		t.Errorf("Kingdee holds %q, want two records", got)
	}
	// The other way round: what was applied under a new id and lies there once
	// more under an old one.
	b.ended(b.asBefore(strings.Replace(strings.Replace(text, "修好", "又修好", 1), old, "renamed", 1)), "ignored")
	if got := b.notes(bill); len(got) != 2 {
		t.Errorf("Kingdee holds %q, want two records", got)
	}
}

// The content key is of the plaintext: what normalisation changed in the data
// makes no other effect of it.
func TestContentKeyTravels(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	number, bill := b.order()
	text := strings.Replace(b.closing(number, "修好"), `"is_show":0`, `"is_show":"1"`, 1)
	first := b.asBefore(text) // its key is recomputed from the plaintext
	b.ended(first, "applied")
	second := b.receive([]byte(strings.Replace(text, first, "another-id", 1)))
	b.ended(second, "ignored")
	if got := b.notes(bill); len(got) != 1 || b.duplicateOf(second) == "" {
		t.Errorf("Kingdee holds %q, want one record", got)
	}
	list, err := b.bus.Page(t.Context(), "EVENTS", "gongdan.acme.event.>", 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
		if err != nil {
			t.Fatal(err)
		}
		if has := events.Extension(ev, events.ExtContent) != "" && events.Extension(ev, events.ExtIntake) != ""; has != strings.HasPrefix(ev.ID(), second) {
			t.Errorf("%s carries its keys: %v", ev.ID(), has)
		}
	}
}

// One id for two orders at once: both are handled, and the balance says so.
func TestReusedIDIsTwoEvents(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	one, billOne := b.order()
	two, billTwo := b.order()
	text, other := b.closing(one, "一"), b.closing(two, "二")
	id, _, _ := events.SplitCallbackID(weiban.Receive([]byte(text)).EventID)
	otherID, _, _ := events.SplitCallbackID(weiban.Receive([]byte(other)).EventID)
	for _, plaintext := range []string{text, strings.Replace(other, otherID, id, 1), text} {
		b.ended(b.receive([]byte(plaintext)), "applied")
	}
	if diff := cmp.Diff([][]string{{"一"}, {"二"}}, [][]string{b.notes(billOne), b.notes(billTwo)}); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	x := balanceOf(t, b.bus, time.Now().Add(-time.Hour))
	if x.ReusedIDs != 1 || x.Accepted != 2 || x.Applied != 2 || x.Unexplained != 0 {
		t.Errorf("balance %+v", x)
	}
}

// A callback about an order that cannot be told is one letter, and counted as
// dead.
func TestUnnumberedIsALetter(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	const secret = "canary"
	for i, text := range []string{
		`{"id":"m%d","event":"work_order_change","status":"close","msg_data":{"order_no":"` + secret + `\u200b"}}`,
		`{"id":"m%d","event":"opportunity_change","status":"update","msg_data":{"id":["` + secret + `"]}}`,
		`{"id":"m%d","event":"work_order_change","status":"close","msg_data":{"order_no":"` + secret,
	} {
		id := b.receive([]byte(fmt.Sprintf(text, i)))
		b.ended(id, "dead")
	}
	letters := b.letters()
	for _, l := range letters {
		if l.Kind != events.Invalid || l.Stage != events.Enrich || !strings.HasPrefix(l.Key, weiban.Unnumbered) || strings.Contains(l.Reason, secret) || !strings.Contains(l.Reason, "which order") {
			t.Errorf("letter of kind %s at %s for %s: %s", l.Kind, l.Stage, l.Key, l.Reason)
		}
	}
	if x := balanceOf(t, b.bus, time.Now().Add(-time.Hour)); len(letters) != 3 || x.DeadOpen != 3 || x.Accepted != 3 || x.Published != 0 || x.Unexplained != 0 {
		t.Errorf("%d letters, balance %+v", len(letters), x)
	}
	if _, err := b.box.Replay(t.Context(), letters[0].Number, deadletter.Act{Who: "li"}); err != nil {
		t.Fatal(err)
	}
	b.until("it is a letter again", func() bool {
		return slices.ContainsFunc(b.letters(), func(l deadletter.Open) bool { return l.Key == letters[0].Key && l.Replay > 0 })
	})
}

// Odd forms of members end as documented ones do: in one record in Kingdee.
func TestOddCallbacksEndInARecord(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	var bills []string
	for _, odd := range [][2]string{
		{`"is_show":0`, `"is_show":"1"`},
		{`"order_no"`, `"x":1e999,"x":{"y":1,"y":2},"order_no"`},
		{`"cc_list":[]`, `"cc_list":{}`},
		{`"close"`, `"close "`},
		{`{"id"`, "\xef\xbb\xbf" + `{"id"`},
	} {
		number, bill := b.order()
		text := b.closing(number, "修好")
		if !strings.Contains(text, odd[0]) {
			t.Fatalf("no %s in %s", odd[0], text)
		}
		b.ended(b.receive([]byte(strings.Replace(text, odd[0], odd[1], 1))), "applied")
		bills = append(bills, bill)
	}
	for _, bill := range bills {
		if got := b.notes(bill); !slices.Equal(got, []string{"修好"}) {
			t.Errorf("bill %s holds %q", bill, got)
		}
	}
}

// Every member of a callback with every sort of value, once: each of them comes
// to an end that is announced, and the balance explains all.
func TestAnyMemberComesToAnEnd(t *testing.T) {
	b := newBridge(t)
	b.run("one", nil)
	values := []string{"null", `""`, `" "`, "[]", "{}", "7", `"7"`, "true", `[{"a":1}]`, `{"a":[1]}`, `"[]"`, `"{\"a\":1}"`, `"\ud800"`, "1e999", `"a\u200bb"`}
	sent, n := map[string]bool{}, 0
	var plaintext string
	for _, name := range []string{
		"id", "corp_id", "create_time", "type", "event", "status", "retry_count", "seq", "msg_data",
		"msg_data.order_no", "msg_data.staff_id", "msg_data.handler_id", "msg_data.cc_list", "msg_data.content", "msg_data.is_show", "msg_data.attached_json", "msg_data.new",
	} {
		for _, v := range values {
			if n%50 == 0 {
				number, _ := b.order()
				plaintext = b.closing(number, "修好")
			}
			n++
			text := []byte(withMember(t, withMember(t, plaintext, "id", fmt.Sprintf(`"message-%d"`, n)), name, v))
			if r := weiban.Receive(text); r.Noun == "" {
				if name == "event" && r.Event != "" {
					continue // another event's word
				}
				t.Errorf("%s in %s: published only, as %s", v, name, r.Event)
			}
			sent[b.receive(text)] = true
		}
	}
	b.until("all have ended", func() bool {
		ended := map[string]bool{}
		for _, line := range b.outcomes() {
			id, _, _ := strings.Cut(line, " ")
			ended[id] = sent[id]
		}
		return len(ended) == len(sent)
	})
	if x := balanceOf(t, b.bus, time.Now().Add(-time.Hour)); x.Accepted != len(sent) || x.Published != 0 || x.Unexplained != 0 {
		t.Errorf("%d were sent: balance %+v", len(sent), x)
	}
}

// withMember is a callback with a value in place of a member's, which may be one
// of msg_data.
func withMember(t *testing.T, text, name, v string) string {
	t.Helper()
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	if inner, ok := strings.CutPrefix(name, "msg_data."); ok {
		name, v = "msg_data", withMember(t, string(members["msg_data"]), inner, v)
	}
	members[name] = json.RawMessage(v)
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
