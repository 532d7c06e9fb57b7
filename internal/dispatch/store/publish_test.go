package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/testwing/bustest"
)

// storeOf is the store of a tenant under a claim of its own.
func storeOf(t *testing.T, b *bus.Bus) *Store {
	t.Helper()
	revision, err := b.Bucket(bus.State).Put(t.Context(), "owner.acme", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Tenant: "acme", Log: b, State: b.Bucket(bus.State), Consumers: b, Logger: slog.New(slog.DiscardHandler),
		Tenure: ownership.Grant(t.Context(), "acme", 7, bus.Fence{Key: "owner.acme", Revision: revision}),
	})
}

// An evicted order may be loaded by a delivery, which does not know that
// it is listed: that it waited, and was acknowledged for that, stands in the bucket.
func TestWhatWaitedIsNotTakenForPublished(t *testing.T) {
	b := bustest.New(t)
	s := storeOf(t, b)
	state, k := b.Bucket(bus.State), orders.ID{Noun: events.WorkOrder, Key: "7"}
	settled := orders.Checkpoint{Epoch: 7, Floor: 9, Delivered: 10} // all up to 9 is acknowledged
	if _, err := state.Put(t.Context(), orders.CheckpointKey("acme", orders.Queue{Stage: events.Handle, Noun: k.Noun}), settled.Encode()); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Put(t.Context(), orders.WaitKey("acme", k), []byte{}); err != nil {
		t.Fatal(err)
	}
	for _, listed := range []bool{true, false} {
		out, err := publication{Store: s, order: k}.acknowledged(t.Context(), ledger.Publish{Stage: events.Handle, Seq: 9})
		if err != nil || out == listed {
			t.Errorf("listed %v: taken for published %v, %v", listed, out, err)
		}
		if err := state.DeleteFenced(t.Context(), orders.WaitKey("acme", k), s.Tenure.Fence); err != nil {
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
	s := storeOf(t, bustest.New(t))
	o := publication{Store: s, order: orders.ID{Noun: events.WorkOrder, Key: "7"}}
	p := ledger.Publish{Stage: events.Handle, Seq: 9, EventID: "m1~enrich~0"}
	if m, err := o.parent(t.Context(), p); err != nil || m.Event.ID() != p.EventID {
		t.Errorf("of what has left the stream: %v", err)
	}
	s.Log = deaf{s.Log}
	if _, err := o.parent(t.Context(), p); !errors.Is(err, bus.ErrUnreachable) {
		t.Errorf("of what could not be read: %v", err)
	}
}
