package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
)

// withBus runs an example on a provisioned bus: an embedded server on a free port,
// over a directory of its own.
func withBus(run func(ctx context.Context, b *bus.Bus) error) (err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "bus-example-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := natsd.Start(ctx, natsd.Options{MaxStore: 20 << 30, Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(ctx)) }()
	b, err := bus.Connect(ctx, bus.Options{URL: s.URL(), Token: s.Token(), Name: "example"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(ctx)) }()
	if err := b.Provision(ctx); err != nil {
		return err
	}
	return run(ctx, b)
}

// A message that is published is stored, and on disk, when Publish returns. The
// same id again is stored once. A reader finds it by its subject.
func ExampleBus_Publish() {
	err := withBus(func(ctx context.Context, b *bus.Bus) error {
		m := bus.Message{
			Subject: "gongdan.acme.event.weiban.work_order_change.close.7",
			ID:      "acme/7a1d", ContentType: "application/cloudevents+json", Data: []byte(`{"specversion":"1.0"}`),
		}
		for range 2 {
			ack, err := b.Publish(ctx, m)
			if err != nil {
				return err
			}
			fmt.Println(ack.Stream, ack.Sequence, "duplicate:", ack.Duplicate)
		}
		s, err := b.Next(ctx, bus.Callbacks, "gongdan.acme.event.weiban.*.*.7", 1)
		fmt.Println(s.ID(), string(s.Data))
		return err
	})
	fmt.Println("fault:", err)
	// Output:
	// CALLBACKS 1 duplicate: false
	// CALLBACKS 1 duplicate: true
	// acme/7a1d {"specversion":"1.0"}
	// fault: <nil>
}

// A fenced write expects that the owner's claim has not changed. Once another
// owner has taken the claim, a write of the old owner is refused.
func ExampleBucket_PutFenced() {
	err := withBus(func(ctx context.Context, b *bus.Bus) error {
		state := b.Bucket(bus.State)
		claim, err := state.Create(ctx, "owner.acme", []byte(`{"instance":"one"}`))
		if err != nil {
			return err
		}
		fence := bus.Fence{Key: "owner.acme", Revision: claim}
		_, err = state.PutFenced(ctx, "order.acme.7", []byte(`{}`), fence)
		fmt.Println("the owner writes:", err)

		if _, err := state.Update(ctx, "owner.acme", []byte(`{"instance":"two"}`), claim); err != nil {
			return err
		}
		_, err = state.PutFenced(ctx, "order.acme.7", []byte(`{}`), fence)
		fmt.Println("the old owner is refused:", errors.Is(err, bus.ErrFenced))
		return nil
	})
	fmt.Println("fault:", err)
	// Output:
	// the owner writes: <nil>
	// the old owner is refused: true
	// fault: <nil>
}
