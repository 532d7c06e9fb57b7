package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

func end(t testing.TB, k *bus.Consumer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := k.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// consume starts a consumer that hands everything to the test.
func consume(t testing.TB, b *bus.Bus, c bus.ConsumerConfig) (*bus.Consumer, <-chan *bus.Delivery) {
	t.Helper()
	got := make(chan *bus.Delivery, 1000)
	k := must(b.Consume(within(t), c, func(d *bus.Delivery) { got <- d }))(t)
	t.Cleanup(func() { end(t, k) })
	return k, got
}

func TestConsumeDelivers(t *testing.T) {
	b := bustest.New(t)
	m := callback(1)
	m.ContentType = "application/cloudevents+json"
	publish(t, b, m, callback(2))
	_, got := consume(t, b, bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich"})
	d := receive(t, got)
	if d.Subject != m.Subject || d.Sequence != 1 || d.Delivered != 1 || d.Pending != 1 || d.Stream != bus.Callbacks ||
		string(d.Data) != string(m.Data) || d.ID() != m.ID || d.Header.Get("content-type") != m.ContentType {
		t.Errorf("delivered %+v", d)
	}
	if err := d.Ack(); err != nil {
		t.Error(err)
	}
	if err := receive(t, got).DoubleAck(within(t)); err != nil {
		t.Error(err)
	}
	info := must(b.ConsumerInfo(within(t), bus.Callbacks, "enrich"))(t)
	if want := (bus.ConsumerInfo{AckFloor: 2, Delivered: 2}); info != want {
		t.Errorf("consumer is %+v, want %+v", info, want)
	}
	_, err := b.ConsumerInfo(within(t), bus.Callbacks, "another")
	is(t, err, bus.ErrNotFound)
	_, err = b.ConsumerInfo(within(t), "NONE", "another")
	is(t, err, bus.ErrUnprovisioned)
	is(t, b.DeleteConsumer(within(t), bus.Callbacks, "another"), bus.ErrNotFound)
}

func TestConsumeFiltersAndTakesUp(t *testing.T) {
	b := bustest.New(t)
	c := bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich", Filters: []string{
		"gongdan.acme.event.weiban.work_order_change.*.*", "gongdan.acme.replay.enrich.work_order.*",
	}}
	publish(
		t, b,
		callback(1),
		bus.Message{Subject: "gongdan.other.event.weiban.work_order_change.close.1"},
		bus.Message{Subject: "gongdan.acme.replay.enrich.work_order.1"},
	)
	k, got := consume(t, b, c)
	for _, want := range []uint64{1, 3} {
		d := receive(t, got)
		if d.Sequence != want {
			t.Errorf("message %d came, want %d", d.Sequence, want)
		}
		if err := d.DoubleAck(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	end(t, k)
	// Changed settings and another start: the consumer that is there goes on.
	c.AckWait, c.MaxAckPending, c.StartSequence = time.Minute, 7, 1
	_, got = consume(t, b, c)
	publish(t, b, callback(4))
	if d := receive(t, got); d.Sequence != 4 {
		t.Errorf("the consumer went on at %d, want 4", d.Sequence)
	}
}

// What a dead owner held is given to the next one, in order, and the dead owner's
// acknowledgements count for nothing.
func TestConsumerEpochs(t *testing.T) {
	b := bustest.New(t)
	const n = 10
	for i := range n {
		publish(t, b, callback(i))
	}
	old, got := consume(t, b, bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich-acme-1"})
	var late *bus.Delivery
	for range n {
		d := receive(t, got)
		switch d.Sequence {
		case 1, 2, 4:
			if err := d.DoubleAck(within(t)); err != nil {
				t.Fatal(err)
			}
		case 3:
			late = d
		}
	}
	floor := must(b.ConsumerInfo(within(t), bus.Callbacks, "enrich-acme-1"))(t).AckFloor
	if floor != 2 {
		t.Fatalf("ack floor is %d, want 2", floor)
	}
	_, got = consume(t, b, bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich-acme-2", StartSequence: floor + 1})
	if err := b.DeleteConsumer(within(t), bus.Callbacks, "enrich-acme-1"); err != nil {
		t.Fatal(err)
	}
	is(t, receive(t, old.Err()), bus.ErrConsumerGone)
	if _, open := <-old.Err(); open {
		t.Error("a consumer that has ended reports more")
	}
	if err := late.DoubleAck(within(t)); err == nil {
		t.Error("an acknowledgement to the deleted consumer was confirmed")
	}
	var have, want []uint64
	for i := range uint64(n - 2) {
		want = append(want, i+3)
		d := receive(t, got)
		have = append(have, d.Sequence)
		if d.Delivered != 1 {
			t.Errorf("message %d came for the %d. time", d.Sequence, d.Delivered)
		}
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("order (-want +have):\n%s", d)
	}
}

func TestUnsettledComesAgain(t *testing.T) {
	b := bustest.New(t)
	publish(t, b, callback(1))
	_, got := consume(t, b, bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich", AckWait: 50 * time.Millisecond})
	for want := range uint64(3) {
		if d := receive(t, got); d.Delivered != want+1 || d.Turn != want+1 {
			t.Errorf("came for the %d. time, in turn %d, want %d.", d.Delivered, d.Turn, want+1)
		}
	}
}

func TestStopLeavesWhatIsNotHandled(t *testing.T) {
	b := bustest.New(t)
	for i := range 10 {
		publish(t, b, callback(i))
	}
	begun, finish := make(chan uint64, 10), make(chan struct{})
	c := bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich", AckWait: time.Second}
	k := must(b.Consume(within(t), c, func(d *bus.Delivery) {
		begun <- d.Sequence
		<-finish
		if err := d.DoubleAck(context.Background()); err != nil {
			t.Error(err)
		}
	}))(t)
	receive(t, begun)
	short, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, k.Stop(short), context.Canceled) // the handle is still at work
	close(finish)
	end(t, k)
	if _, open := <-k.Err(); open {
		t.Error("a stopped consumer reports an error")
	}
	if len(begun) != 0 {
		t.Errorf("message %d was handled after Stop", <-begun)
	}
	_, got := consume(t, b, c)
	for want := uint64(2); want <= 10; want++ {
		if d := receive(t, got); d.Sequence != want {
			t.Errorf("message %d came, want %d", d.Sequence, want)
		}
	}
}

// A handle that takes long holds back the rest, and loses nothing of it.
func TestSlowHandleIsBackPressure(t *testing.T) {
	b := bustest.New(t)
	const n = 40
	var have []uint64
	all := make(chan struct{})
	k := must(b.Consume(within(t), bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich", Batch: 2}, func(d *bus.Delivery) {
		if len(have) == 0 {
			for i := 1; i < n; i++ {
				publish(t, b, callback(i)) // all of them wait behind this handle
			}
		}
		have = append(have, d.Sequence)
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
		if len(have) == n {
			close(all)
		}
	}))(t)
	t.Cleanup(func() { end(t, k) })
	publish(t, b, callback(0))
	receiveEnd(t, all)
	for i, s := range have {
		if s != uint64(i+1) {
			t.Fatalf("order is %v", have)
		}
	}
}

func receiveEnd(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
	}
}
