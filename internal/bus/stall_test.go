package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

// A consumer that its server keeps from delivering, with heartbeats going on, is
// reported, and knows how far it was sound.
func TestStalledOnTheServer(t *testing.T) {
	const filter = "gongdan.acme.event.weiban.work_order_change.*.*"
	for name, harm := range map[string]func(context.Context, jetstream.JetStream, jetstream.ConsumerConfig) error{
		"paused": func(ctx context.Context, js jetstream.JetStream, c jetstream.ConsumerConfig) error {
			_, err := js.PauseConsumer(ctx, bus.Callbacks, c.Durable, time.Now().Add(time.Hour))
			return err
		},
		"other subjects": func(ctx context.Context, js jetstream.JetStream, c jetstream.ConsumerConfig) error {
			c.FilterSubject, c.FilterSubjects = "gongdan.nobody.event.>", nil
			_, err := js.UpdateConsumer(ctx, bus.Callbacks, c)
			return err
		},
		"smaller pulls than are asked for": func(ctx context.Context, js jetstream.JetStream, c jetstream.ConsumerConfig) error {
			c.MaxRequestBatch = 1
			_, err := js.UpdateConsumer(ctx, bus.Callbacks, c)
			return err
		},
		"made anew by a stranger": func(ctx context.Context, js jetstream.JetStream, c jetstream.ConsumerConfig) error {
			if err := js.DeleteConsumer(ctx, bus.Callbacks, c.Durable); err != nil {
				return err
			}
			c.DeliverPolicy = jetstream.DeliverNewPolicy
			_, err := js.CreateConsumer(ctx, bus.Callbacks, c)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bustest.Server(t)
			b := bustest.Connect(t, server, bus.Options{})
			js := must(jetstreamOf(server.URL(), nats.Token(server.Token())))(t)
			t.Cleanup(js.Conn().Close)
			k, got := consume(t, b, bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich", Filters: []string{filter}, Batch: 4, Heartbeat: 500 * time.Millisecond, CheckEvery: 100 * time.Millisecond})
			publish(t, b, callback(1))
			if err := receive(t, got).DoubleAck(within(t)); err != nil {
				t.Fatal(err)
			}
			for ctx := within(t); k.Floor() != 1; {
				if _, err := b.ConsumerInfo(ctx, bus.Callbacks, "enrich"); err != nil {
					t.Fatal(err)
				}
			}
			is := must(js.Consumer(within(t), bus.Callbacks, "enrich"))(t).CachedInfo().Config
			if err := harm(within(t), js, is); err != nil {
				t.Fatal(err)
			}
			for i := range 8 {
				publish(t, b, callback(2+i))
			}
			if err := receive(t, k.Err()); err == nil {
				t.Error("the consumer ended without a reason")
			} else {
				t.Log(err)
			}
			if k.Floor() != 1 {
				t.Errorf("it was sound up to %d, want 1", k.Floor())
			}
		})
	}
}
