package bus_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestScanVisitsHeadersInOrder(t *testing.T) {
	b := bustest.New(t)
	scan := func(subject string, from, last uint64) (seqs []uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := b.Scan(ctx, bus.Callbacks, subject, from, last, func(m bus.Stored) error {
			if m.ID() != "acme/"+m.Subject[len("gongdan.acme.event.weiban.work_order_change.close."):] || len(m.Data) > 0 {
				t.Errorf("message %d is %s with %d bytes", m.Sequence, m.ID(), len(m.Data))
			}
			seqs = append(seqs, m.Sequence)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return seqs
	}
	if got := scan("gongdan.acme.>", 1, 9); len(got) != 0 {
		t.Errorf("an empty stream has %v", got)
	}
	for n := range 9 {
		publish(t, b, callback(n))
	}
	if err := b.Delete(within(t), bus.Callbacks, 5); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		subject    string
		from, last uint64
		want       []uint64
	}{
		{"gongdan.acme.event.weiban.>", 0, 9, []uint64{1, 2, 3, 4, 6, 7, 8, 9}},
		{"gongdan.acme.event.weiban.>", 4, 7, []uint64{4, 6, 7}},
		{"gongdan.acme.event.weiban.>", 4, 5, []uint64{4}},
		{"gongdan.acme.event.weiban.>", 10, 20, nil},
		{"gongdan.acme.event.weiban.*.*.2", 1, 9, []uint64{3}},
		{"gongdan.other.event.weiban.>", 1, 9, nil},
	} {
		if got := scan(tt.subject, tt.from, tt.last); !slices.Equal(got, tt.want) {
			t.Errorf("%s from %d to %d: %v, want %v", tt.subject, tt.from, tt.last, got, tt.want)
		}
	}
	stopped := errors.New("enough")
	if err := b.Scan(within(t), bus.Callbacks, ">", 1, 9, func(bus.Stored) error { return stopped }); !errors.Is(err, stopped) {
		t.Errorf("a visitor's error is %v", err)
	}
	if list := must(b.Followers(within(t), bus.Callbacks))(t); len(list) != 0 {
		t.Errorf("scans have left %+v", list)
	}
}
