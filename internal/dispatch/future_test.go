package dispatch_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/fakeweiban"
)

// sendAt publishes a callback's event as ingest does, with another create_time;
// arrived is what it says of its arrival, zero for nothing.
func (b *bridge) sendAt(create string, arrived time.Time, n fakeweiban.Notice, err error) string {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(n.Plaintext(0), &members); err != nil {
		b.t.Fatal(err)
	}
	members["create_time"] = json.RawMessage(create)
	text, err := json.Marshal(members)
	if err != nil {
		b.t.Fatal(err)
	}
	r := weiban.Receive(text)
	c := r.Callback("acme", "1")
	c.Arrived = arrived
	return b.publish(c, events.MessageID("acme", r.EventID, 0))
}

// TestOneEventOfTheFutureMakesNoneLate: an event of the year 2100, or of the next
// hour, is followed by one of now, which is applied and not late, whether the event
// says when it came or was stored before events did.
func TestOneEventOfTheFutureMakesNoneLate(t *testing.T) {
	hour := time.Now().Add(time.Hour).Truncate(time.Second)
	for _, at := range []time.Time{time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), hour.UTC()} {
		for name, arrived := range map[string]time.Time{"says when it came": time.Now(), "stored before": {}} {
			t.Run(strconv.Itoa(at.Year())+" "+name, func(t *testing.T) {
				b := newBridge(t)
				b.run("a", nil)
				number, bill := b.order()
				n, err := b.weiban.Switch(number, fakeweiban.Act{Staff: "LiYang", Handler: "LiHua", Text: "first"})
				b.ended(b.sendAt(strconv.FormatInt(at.Unix(), 10), arrived, n, err), "applied")
				b.ended(b.end(number, "second"), "applied")
				if got := b.notes(bill); len(got) != 2 {
					t.Errorf("records: %v", got)
				}
				m, err := b.bus.Next(t.Context(), "EVENTS", "gongdan.acme.event.enriched.>", 1)
				if err != nil {
					t.Fatal(err)
				}
				ev, err := events.Decode(events.ContentType, m.Data)
				if err != nil || !ev.Time().Equal(at) || events.Extension(ev, events.ExtArrived) == "" != arrived.IsZero() {
					t.Errorf("the enriched event: %v, %s", err, m.Data)
				}
				if p := events.Extension(ev, events.ExtPosition); p > events.Position(time.Now(), 1<<62) {
					t.Errorf("its position: %s", p)
				}
			})
		}
	}
}
