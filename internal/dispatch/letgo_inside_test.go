package dispatch

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/testwing/bustest"
)

// An order that was let go may be loaded by a delivery, which does not know that
// it is listed: that it waited, and was acknowledged for that, stands in the bucket.
func TestWhatWaitedIsNotTakenForPublished(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	r := o.rooms[1]
	r.start = 10 // all below is acknowledged
	if err := r.mark(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	k := o.waits(t, "7", ledger.Record{})
	a := newActor(o, k, false)
	for _, listed := range []bool{true, false} {
		out, err := a.acknowledged(t.Context(), ledger.Publish{Stage: events.Handle, Seq: 9})
		if err != nil || out == listed {
			t.Errorf("listed %v: taken for published %v, %v", listed, out, err)
		}
		if err := o.d.state.DeleteFenced(t.Context(), waitKey("acme", k), o.tenure.Fence); err != nil {
			t.Fatal(err)
		}
	}
}

// deaf is a log whose answers to a read are lost.
type deaf struct{ Log }

func (deaf) Get(context.Context, string, uint64) (bus.Stored, error) {
	return bus.Stored{}, fmt.Errorf("read: %w", bus.ErrUnreachable)
}

// A letter without its event cannot be replayed: only where the stream has it no
// more is one made.
func TestALetterWaitsForItsEvent(t *testing.T) {
	o := ownerOf(t, bustest.New(t))
	a := newActor(o, order{events.WorkOrder, "7"}, false)
	p := ledger.Publish{Stage: events.Handle, Seq: 9, EventID: "m1~enrich~0"}
	if m, err := a.parent(t.Context(), p); err != nil || m.event.ID() != p.EventID {
		t.Errorf("of what has left the stream: %v", err)
	}
	o.d.o.Ports.Log = deaf{o.d.o.Ports.Log}
	if _, err := a.parent(t.Context(), p); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("of what could not be read: %v", err)
	}
}

// A takeover that died half-way, or an owner that was stopped and woke, leaves a
// consumer that no trail names.
func TestConsumersThatAreLeftAreDeleted(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	r := o.rooms[0]
	other := newRoom(o, desk{r.k.stage, events.Opportunity})
	for _, left := range []*room{r, other} {
		for _, epoch := range []uint64{o.tenure.Epoch - 1, o.tenure.Epoch, o.tenure.Epoch + 1} {
			consumer(t, b, left, epoch)
		}
	}
	strange := "enrich-work_order-acme-2-1" // tenant acme-2
	if _, err := b.Consume(t.Context(), bus.ConsumerConfig{Stream: bus.Callbacks, Name: strange}, func(*bus.Delivery) {}); err != nil {
		t.Fatal(err)
	}
	if err := o.tidy(t.Context()); err != nil {
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
