package deadletter_test

import (
	"encoding/json"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/bustest"
)

// A replay travels with the trace of its letter, in every way of sending it; a letter that was made
// before letters had one, with the trace that its event began with.
func TestAReplayHasTheTraceOfItsLetter(t *testing.T) {
	const (
		attempt = "00-01000000000000000000000000000001-0200000000000001-01"
		began   = "00-01000000000000000000000000000002-0200000000000002-01"
	)
	event := `{"specversion":"1.0","id":"m1","source":"urn:x","type":"t","traceparent":"` + began + `"}`
	for want, parent := range map[string]string{attempt: attempt, began: ""} {
		conn := bustest.New(t)
		b := deadletter.NewBox(conn, time.Now)
		l := letter(1, events.Unmapped)
		l.Event, l.Parent = json.RawMessage(event), parent
		if err := b.Put(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Replay(t.Context(), 1, deadletter.Act{Who: "wang"}); err != nil {
			t.Fatal(err)
		}
		m, err := conn.Next(t.Context(), bus.Events, ">", 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Header.Get("traceparent"); got != want {
			t.Errorf("replayed with the trace %q, want %q", got, want)
		}
	}
}
