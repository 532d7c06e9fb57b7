package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// handle is a consumer as a desk opens it.
func handle(epoch string) bus.ConsumerConfig {
	return bus.ConsumerConfig{
		Stream: bus.Events, Name: "handle-work_order-acme-" + epoch, AckWait: time.Minute,
		Filters: events.StageFilters("acme", events.Handle, events.WorkOrder),
	}
}

func TestConsume(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		f.publish(t, enriched("7", "1"), bus.Message{Subject: "gongdan.acme.event.kingdee.handle_order.applied.7"}, enriched("8", "3"),
			bus.Message{Subject: "gongdan.other.event.enriched.work_order.close.7"}, enriched("7", "5"))
		c := handle("1")
		c.StartSequence = 2
		c.CheckEvery = 50 * time.Millisecond
		k, got := f.open(t, c)
		a, b := receive(t, got), receive(t, got)
		if a.Sequence != 3 || a.Turn != 1 || a.Delivered != 1 || a.Pending != 1 || a.ID() != "3" || b.Sequence != 5 || b.Turn != 2 || b.Pending != 0 {
			t.Errorf("delivered %+v and %+v", a, b)
		}
		floor := func(want bus.ConsumerInfo) {
			t.Helper()
			if i := must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t); i != want {
				t.Errorf("consumer is %+v, want %+v", i, want)
			}
		}
		settle(t, b)
		if i := must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t); i.AckFloor > 2 || i.Delivered != 5 || i.NumAckPending != 1 {
			t.Errorf("with the first one open the consumer is %+v", i)
		}
		settle(t, a)
		floor(bus.ConsumerInfo{AckFloor: 5, Delivered: 5})
		f.publish(t, enriched("7", "6"))
		settle(t, receive(t, got))
		floor(bus.ConsumerInfo{AckFloor: 6, Delivered: 6})
		until(t, "the consumer sees its floor", func() bool { return k.Floor() == 6 })
		want := []bus.Follower{{Name: c.Name, Filters: c.Filters, AckFloor: 6}}
		if d := cmp.Diff(want, must(f.Followers(t.Context(), bus.Events))(t)); d != "" {
			t.Errorf("followers (-want +got):\n%s", d)
		}
		_, err := f.ConsumerInfo(t.Context(), bus.Events, "another")
		is(t, err, bus.ErrNotFound)
	})
}

// A consumer that was made behind the stream's end has delivered nothing.
func TestFloorOfANewConsumer(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		f.publish(t, enriched("7", "1"), enriched("7", "2"))
		c := handle("1")
		c.StartSequence = 3
		f.open(t, c)
		if i := must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t); i.NumPending != 0 || i.AckFloor > 2 || i.Delivered > 2 {
			t.Errorf("consumer is %+v", i)
		}
	})
}

func TestUnsettledComesAgain(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		c := handle("1")
		c.AckWait = 300 * time.Millisecond
		_, got := f.open(t, c)
		f.publish(t, enriched("7", "1"), enriched("7", "2"), enriched("7", "3"))
		receive(t, got)
		settle(t, receive(t, got))
		receive(t, got)
		// Both, in the stream's order, each in a turn of its own.
		for i, want := range []struct{ sequence, delivered, turn uint64 }{{1, 2, 4}, {3, 2, 5}} {
			d := receive(t, got)
			if d.Sequence != want.sequence || d.Delivered != want.delivered || d.Turn != want.turn {
				t.Errorf("%d. again: sequence %d for the %d. time in turn %d, want %+v", i+1, d.Sequence, d.Delivered, d.Turn, want)
			}
			settle(t, d)
		}
		f.publish(t, enriched("7", "4"))
		if d := receive(t, got); d.Sequence != 4 || d.Turn != 6 || d.Delivered != 1 {
			t.Errorf("then %+v", d)
		}
	})
}

func TestUnsettledHoldsBackTheRest(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		c := handle("1")
		c.MaxAckPending = 2
		_, got := f.open(t, c)
		f.publish(t, enriched("7", "1"), enriched("7", "2"), enriched("7", "3"), enriched("7", "4"))
		first := receive(t, got)
		receive(t, got)
		if i := must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t); i.NumAckPending != 2 || i.NumPending != 2 || len(got) > 0 {
			t.Errorf("consumer is %+v, %d more came", i, len(got))
		}
		settle(t, first)
		if d := receive(t, got); d.Sequence != 3 {
			t.Errorf("then came %d", d.Sequence)
		}
	})
}

// What a dead owner held is given to the next one, in order; its consumer is gone,
// and what it acknowledges counts for nothing.
func TestEpochs(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		f.publish(t, enriched("7", "1"), enriched("7", "2"), enriched("7", "3"), enriched("7", "4"))
		old, got := f.open(t, handle("1"))
		settle(t, receive(t, got))
		late := receive(t, got)
		settle(t, receive(t, got))
		until(t, "all are delivered", func() bool {
			return must(f.ConsumerInfo(t.Context(), bus.Events, handle("1").Name))(t).Delivered == 4
		})
		floor := must(f.ConsumerInfo(t.Context(), bus.Events, handle("1").Name))(t).AckFloor
		if floor != 1 {
			t.Fatalf("ack floor is %d, want 1", floor)
		}
		if err := f.DeleteConsumer(t.Context(), bus.Events, handle("1").Name); err != nil {
			t.Fatal(err)
		}
		is(t, f.DeleteConsumer(t.Context(), bus.Events, handle("1").Name), bus.ErrNotFound)
		is(t, receive(t, old.Err()), bus.ErrConsumerGone)
		if _, more := <-old.Err(); more {
			t.Error("a consumer that has ended reports more")
		}
		c := handle("2")
		c.StartSequence = floor + 1
		_, got = f.open(t, c)
		_ = late.Ack() // whether it says so or not, nobody takes it
		for _, want := range []uint64{2, 3, 4} {
			if d := receive(t, got); d.Sequence != want || d.Delivered != 1 {
				t.Errorf("came %d for the %d. time, want %d", d.Sequence, d.Delivered, want)
			}
		}
		if err := late.DoubleAck(t.Context()); err == nil {
			t.Error("an ack to the deleted consumer was confirmed")
		}
		if i := must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t); i.NumAckPending != 3 {
			t.Errorf("consumer is %+v", i)
		}
	})
}

// A consumer that is there is taken up where it is, whatever start is asked for.
func TestTakenUp(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		f.publish(t, enriched("7", "1"), enriched("7", "2"))
		k, got := f.open(t, handle("1"))
		settle(t, receive(t, got))
		settle(t, receive(t, got))
		stop(t, k)
		if _, more := <-k.Err(); more {
			t.Error("a stopped consumer reports an error")
		}
		c := handle("1")
		c.StartSequence, c.AckWait = 1, time.Second
		_, got = f.open(t, c)
		f.publish(t, enriched("7", "3"))
		for _, turn := range []uint64{3, 4} { // and the new AckWait counts
			if d := receive(t, got); d.Sequence != 3 || d.Turn != turn {
				t.Errorf("came %d in turn %d, want 3 in turn %d", d.Sequence, d.Turn, turn)
			}
		}
	})
}

// One message is in hand at a time; a few more are with the client already, and
// what it has not handled when it stops comes again.
func TestStopLeavesWhatIsNotHandled(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		begun, finish := make(chan *bus.Delivery, 10), make(chan struct{})
		c := handle("1")
		c.AckWait, c.Batch = time.Second, 4
		for range 8 {
			f.publish(t, enriched("7", ""))
		}
		k := must(f.consume(c, func(d *bus.Delivery) {
			begun <- d
			<-finish
			_ = d.DoubleAck(context.Background()) // seen below
		}))(t)
		receive(t, begun)
		until(t, "more than the one in hand are delivered, and not all", func() bool {
			i := must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t)
			return i.Delivered > 1 && i.Delivered < 8 && i.AckFloor == 0
		})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		is(t, k.Stop(ended), context.Canceled) // it is still in hand
		close(finish)
		stop(t, k)
		if len(begun) > 0 {
			t.Error("a message was handled after the stop")
		}
		_, got := f.open(t, c)
		var have []uint64
		for seen := map[uint64]bool{1: true}; len(seen) < 8; {
			d := receive(t, got)
			settle(t, d)
			if !seen[d.Sequence] {
				have = append(have, d.Sequence)
			}
			seen[d.Sequence] = true
		}
		if len(have) != 7 {
			t.Errorf("then came %v", have)
		}
		if d := cmp.Diff(uint64(8), must(f.ConsumerInfo(t.Context(), bus.Events, c.Name))(t).Delivered); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
	})
}
