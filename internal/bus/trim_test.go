package bus_test

import (
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestTrimRemovesOnlyWhatIsBelow(t *testing.T) {
	b := bustest.New(t)
	for n := range 10 {
		publish(t, b, callback(n))
	}
	for _, tt := range []struct{ below, gone, first uint64 }{
		{0, 0, 1}, {1, 0, 1}, {5, 4, 5}, {5, 0, 5}, {8, 3, 8},
	} {
		gone := must(b.Trim(within(t), bus.Callbacks, tt.below))(t)
		u := must(b.Usage(within(t), bus.Callbacks))(t)
		if gone != tt.gone || u.First != tt.first || u.Last != 10 {
			t.Errorf("trim below %d: %d gone, stream from %d to %d", tt.below, gone, u.First, u.Last)
		}
	}
}

// A consumer's floor stays where it read last; what it needs may lie far ahead.
func TestFollowersAndWhatTheyNeed(t *testing.T) {
	b := bustest.New(t)
	publish(t, b, callback(1))
	got := make(chan *bus.Delivery, 1)
	c := must(b.Consume(within(t), bus.ConsumerConfig{
		Stream: bus.Callbacks, Name: "theirs", Filters: []string{"gongdan.acme.event.weiban.*.*.1", "gongdan.acme.event.weiban.*.*.9"},
	}, func(d *bus.Delivery) { got <- d }))(t)
	if err := receive(t, got).DoubleAck(within(t)); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 10; n++ {
		publish(t, b, callback(n))
	}
	d := receive(t, got)
	list := must(b.Followers(within(t), bus.Callbacks))(t)
	if len(list) != 1 || list[0].Name != "theirs" || len(list[0].Filters) != 2 || list[0].AckFloor != 1 {
		t.Fatalf("followers: %+v", list)
	}
	needs := func() (uint64, bool) {
		seq, ok, err := b.Unsettled(within(t), bus.Callbacks, list[0].Filters, list[0].AckFloor)
		if err != nil {
			t.Fatal(err)
		}
		return seq, ok
	}
	if seq, ok := needs(); !ok || seq != 9 {
		t.Errorf("it needs %d, %v", seq, ok)
	}
	if err := d.DoubleAck(within(t)); err != nil {
		t.Fatal(err)
	}
	list = must(b.Followers(within(t), bus.Callbacks))(t)
	if seq, ok := needs(); ok {
		t.Errorf("with all settled it needs %d", seq)
	}
	if err := c.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestSequenceAt(t *testing.T) {
	b := bustest.New(t)
	if seq := must(b.SequenceAt(within(t), bus.Callbacks, time.Now()))(t); seq != 1 {
		t.Errorf("an empty stream begins at %d", seq)
	}
	for n := range 20 {
		publish(t, b, callback(n))
	}
	if err := b.Delete(within(t), bus.Callbacks, 12); err != nil {
		t.Fatal(err)
	}
	must(b.Trim(within(t), bus.Callbacks, 4))(t)
	for _, seq := range []uint64{4, 11, 13, 20} {
		m := must(b.Get(within(t), bus.Callbacks, seq))(t)
		at := must(b.SequenceAt(within(t), bus.Callbacks, m.Time))(t)
		if first := must(b.Next(within(t), bus.Callbacks, ">", at))(t); first.Sequence != seq {
			t.Errorf("at the time of %d the stream begins at %d", seq, first.Sequence)
		}
	}
	if seq := must(b.SequenceAt(within(t), bus.Callbacks, time.Now().Add(time.Hour)))(t); seq != 21 {
		t.Errorf("the future begins at %d", seq)
	}
}
