package bus_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestNextFindsTheOrdersOwn(t *testing.T) {
	b := bustest.New(t)
	for i := range 30 {
		key := fmt.Sprint(i % 3)
		publish(
			t, b,
			bus.Message{Subject: events.CallbackSubject("acme", "work_order_change", []string{"create", "close"}[i%2], key)},
			bus.Message{Subject: events.CallbackSubject("other", "work_order_change", "close", key)},
		)
	}
	publish(t, b, bus.Message{Subject: events.ReplaySubject("acme", events.Enrich, events.WorkOrder, "1")})
	filters := events.OrderFilters("acme", events.Enrich, events.WorkOrder, "1")
	for _, c := range []struct {
		filter     int
		from, want uint64
	}{{0, 0, 3}, {0, 3, 3}, {0, 4, 9}, {0, 52, 57}, {1, 4, 61}} {
		got, err := b.Next(within(t), bus.Callbacks, filters[c.filter], c.from)
		if err != nil || got.Sequence != c.want {
			t.Errorf("next of %s from %d is %d (%v), want %d", filters[c.filter], c.from, got.Sequence, err, c.want)
		}
	}
	_, err := b.Next(within(t), bus.Callbacks, filters[0], 58)
	is(t, err, bus.ErrNotFound)
	last := must(b.Last(within(t), bus.Callbacks, "gongdan.acme.event.>"))(t)
	if last.Sequence != 59 || last.Subject != "gongdan.acme.event.weiban.work_order_change.close.2" {
		t.Errorf("last is %d on %s", last.Sequence, last.Subject)
	}
	_, err = b.Last(within(t), bus.Callbacks, "gongdan.none.>")
	is(t, err, bus.ErrNotFound)
	// A stream that is not there is no stream without messages.
	_, err = b.Next(within(t), "NONE", ">", 1)
	is(t, err, bus.ErrUnprovisioned)
}

func TestPage(t *testing.T) {
	b := bustest.New(t)
	const n = 1000
	for i := range n {
		kind := []events.Kind{events.Unmapped, events.Rejected}[i%2]
		publish(t, b, bus.Message{
			Subject: events.DeadSubject("acme", events.Handle, kind, events.WorkOrder, fmt.Sprint(i)),
			ID:      fmt.Sprint(i), Data: fmt.Append(nil, i),
		})
	}
	for _, c := range []struct {
		subject     string
		from        uint64
		n           int
		first, last uint64
		count       int
	}{
		{"", 0, 2 * n, 1, 1000, 1000},
		{"", 1, 100, 1, 100, 100},
		{"gongdan.*.dead.*.unmapped.>", 1, n, 1, 999, 500},
		{"gongdan.*.dead.*.rejected.>", 990, n, 990, 1000, 6},
		{"gongdan.other.dead.>", 1, n, 0, 0, 0},
		{"", 1001, n, 0, 0, 0},
		{"", 1, 0, 0, 0, 0},
		{"", 1000, 1, 1000, 1000, 1},
	} {
		page, err := b.Page(within(t), bus.Dead, c.subject, c.from, c.n)
		if err != nil || len(page) != c.count {
			t.Errorf("page of %q from %d has %d messages (%v), want %d", c.subject, c.from, len(page), err, c.count)
			continue
		}
		for i, m := range page {
			if i > 0 && page[i-1].Sequence >= m.Sequence {
				t.Fatalf("message %d comes behind %d", m.Sequence, page[i-1].Sequence)
			}
			if string(m.Data) != fmt.Sprint(m.Sequence-1) || m.ID() != fmt.Sprint(m.Sequence-1) || m.Stream != bus.Dead {
				t.Fatalf("message %d is %+v", m.Sequence, m)
			}
		}
		if c.count > 0 && (page[0].Sequence != c.first || page[len(page)-1].Sequence != c.last) {
			t.Errorf("page of %q from %d spans %d to %d, want %d to %d", c.subject, c.from, page[0].Sequence, page[len(page)-1].Sequence, c.first, c.last)
		}
	}
	_, err := b.Page(within(t), "NONE", "", 1, 1)
	is(t, err, bus.ErrUnprovisioned)
}

// A page that is larger than one exchange carries on where that ended.
func TestPageOfLargeMessages(t *testing.T) {
	b := bustest.New(t)
	for i := range 25 {
		m := callback(i)
		m.Data = make([]byte, 1<<20)
		publish(t, b, m)
	}
	page := must(b.Page(within(t), bus.Callbacks, "", 1, 100))(t)
	if len(page) != 25 || page[24].Sequence != 25 {
		t.Errorf("%d messages came", len(page))
	}
}

func TestDeleteLetter(t *testing.T) {
	b := bustest.New(t)
	for i := range 3 {
		publish(t, b, bus.Message{Subject: events.DeadSubject("acme", events.Handle, events.Unmapped, events.WorkOrder, fmt.Sprint(i))})
	}
	if err := b.Delete(within(t), bus.Dead, 2); err != nil {
		t.Fatal(err)
	}
	_, err := b.Get(within(t), bus.Dead, 2)
	is(t, err, bus.ErrNotFound)
	is(t, b.Delete(within(t), bus.Dead, 2), bus.ErrNotFound)
	is(t, b.Delete(within(t), bus.Dead, 99), bus.ErrNotFound)
	_, err = b.Get(within(t), bus.Dead, 0)
	is(t, err, bus.ErrNotFound)
	var have []uint64
	for _, m := range must(b.Page(within(t), bus.Dead, "", 1, 10))(t) {
		have = append(have, m.Sequence)
	}
	if d := cmp.Diff([]uint64{1, 3}, have); d != "" {
		t.Errorf("letters (-want +have):\n%s", d)
	}
}
