package dispatch

import (
	"context"
	"strings"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/bustest"
)

// between is a log on which an event and a replay of one order are stored right before its
// replays are read.
type between struct {
	Log
	store func()
}

func (l *between) Next(ctx context.Context, stream, subject string, from uint64) (bus.Stored, error) {
	if strings.Contains(subject, ".replay.") && l.store != nil {
		l.store()
		l.store = nil
	}
	return l.Log.Next(ctx, stream, subject, from)
}

// What is stored between the two reads is not passed over.
func TestTheFirstMessageIsTheLowest(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	k := orders.ID{Noun: events.WorkOrder, Key: "1"}
	publish := func(subject string) {
		if _, err := b.Publish(t.Context(), bus.Message{Subject: subject, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	event, replay := "gongdan.acme.event.weiban.work_order_change.close.1", events.OrderFilters("acme", events.Enrich, k.Noun, k.Key)[1]
	o.d.o.Ports.Log = &between{Log: b, store: func() {
		publish(event)
		publish(replay)
	}}
	for _, c := range []struct {
		after, want uint64
	}{{0, 1}, {1, 2}, {2, 0}} {
		m, err := newActor(o, k, false).firstOf(t.Context(), ledger.Next{Stage: events.Enrich, After: c.after})
		switch {
		case err != nil:
			t.Fatal(err)
		case m == nil && c.want > 0, m != nil && m.Sequence != c.want:
			t.Errorf("first above %d: %+v, want %d", c.after, m, c.want)
		}
	}
}
