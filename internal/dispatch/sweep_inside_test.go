package dispatch

import (
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/bustest"
)

// A takeover that died half-way, or an owner that was stopped and woke, leaves a
// consumer that no checkpoint names.
func TestConsumersThatAreLeftAreDeleted(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	r := o.intakes[0]
	other := newIntake(o, orders.Queue{Stage: r.queue.Stage, Noun: events.Opportunity})
	for _, left := range []*intake{r, other} {
		for _, epoch := range []uint64{o.tenure.Epoch - 1, o.tenure.Epoch, o.tenure.Epoch + 1} {
			consumer(t, b, left, epoch)
		}
	}
	strange := "enrich-work_order-acme-2-1" // tenant acme-2
	if _, err := b.Consume(t.Context(), bus.ConsumerConfig{Stream: bus.Callbacks, Name: strange}, func(*bus.Delivery) {}); err != nil {
		t.Fatal(err)
	}
	if err := o.deleteLeftConsumers(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := b.Followers(t.Context(), bus.Callbacks)
	if err != nil || len(list) != 5 {
		t.Errorf("left are %v, %v", list, err)
	}
	for _, f := range list {
		if f.Name == r.name(o.tenure.Epoch-1) || f.Name == other.name(o.tenure.Epoch-1) {
			t.Errorf("%s is left", f.Name)
		}
	}
}
