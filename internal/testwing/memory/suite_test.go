package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/memory"
)

// log is what the suite asks of either form.
type log interface {
	Publish(ctx context.Context, m bus.Message) (bus.Ack, error)
	Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error)
	Next(ctx context.Context, stream, subject string, from uint64) (bus.Stored, error)
	Page(ctx context.Context, stream, subject string, from uint64, n int) ([]bus.Stored, error)
	Delete(ctx context.Context, stream string, sequence uint64) error
	Usage(ctx context.Context, stream string) (bus.Usage, error)
	Identity(ctx context.Context, name string) (bus.Identity, error)
	Mend(ctx context.Context) ([]string, error)
	Last(ctx context.Context, stream, subject string) (bus.Stored, error)
	MaxPayload() int64
	ConsumerInfo(ctx context.Context, stream, name string) (bus.ConsumerInfo, error)
	DeleteConsumer(ctx context.Context, stream, name string) error
	Followers(ctx context.Context, stream string) ([]bus.Follower, error)
	Serve(subject string, answer func(context.Context, []byte) []byte) (func(), error)
	Request(ctx context.Context, subject string, data []byte) ([]byte, error)
}

type bucket interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Put(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
	Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error)
	PutFenced(ctx context.Context, key string, value []byte, f bus.Fence, opts ...bus.Option) (uint64, error)
	DeleteRevision(ctx context.Context, key string, revision uint64) error
	DeleteFenced(ctx context.Context, key string, f bus.Fence) error
	Load(ctx context.Context, prefix string, each func(bus.Entry) error) error
	Watch(ctx context.Context, pattern string, each func(bus.Entry)) error
}

type consumer interface {
	Err() <-chan error
	Floor() uint64
	Stop(ctx context.Context) error
}

// form is JetStream, real or in memory.
type form struct {
	log
	bucket  bucket
	consume func(c bus.ConsumerConfig, handle func(*bus.Delivery)) (consumer, error)
	remove  func(t *testing.T, stream string)
}

// forms are the two that must behave alike.
func forms() map[string]func(t *testing.T) form {
	return map[string]func(t *testing.T) form{
		"memory": func(t *testing.T) form {
			s := memory.New()
			return form{s, s.Bucket(bus.State), func(c bus.ConsumerConfig, h func(*bus.Delivery)) (consumer, error) {
				return s.Consume(t.Context(), c, h)
			}, func(_ *testing.T, stream string) { s.Remove(stream) }}
		},
		"server": func(t *testing.T) form {
			srv := bustest.Server(t)
			b := bustest.Connect(t, srv, bus.Options{})
			return form{b, b.Bucket(bus.State), func(c bus.ConsumerConfig, h func(*bus.Delivery)) (consumer, error) {
				return b.Consume(t.Context(), c, h)
			}, func(t *testing.T, stream string) { bustest.Remove(t, srv, stream) }}
		},
	}
}

// both runs one case against both forms.
func both(t *testing.T, run func(t *testing.T, f form)) {
	t.Helper()
	for name, make := range forms() {
		t.Run(name, func(t *testing.T) { run(t, make(t)) })
	}
}

// patience bounds what happens soon or never.
const patience = 20 * time.Second

// open starts a consumer that hands everything to the test and settles nothing.
func (f form) open(t *testing.T, c bus.ConsumerConfig) (consumer, <-chan *bus.Delivery) {
	t.Helper()
	got := make(chan *bus.Delivery, 100)
	k, err := f.consume(c, func(d *bus.Delivery) { got <- d })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, k) })
	return k, got
}

func stop(t *testing.T, k consumer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := k.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// settle acknowledges and waits until the server knows.
func settle(t *testing.T, d *bus.Delivery) {
	t.Helper()
	if err := d.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func must[T any](x T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// until polls a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// enriched is a message of stream EVENTS about an order.
func enriched(order, id string) bus.Message {
	return bus.Message{
		Subject: events.EnrichedSubject("acme", events.WorkOrder, "close", order), ID: id,
		ContentType: "application/cloudevents+json", Header: bus.Header{"Gongdan-Replay": {"2"}}, Data: []byte(`{"id":"` + id + `"}`),
	}
}

func (f form) publish(t *testing.T, ms ...bus.Message) {
	t.Helper()
	for _, m := range ms {
		must(f.Publish(t.Context(), m))(t)
	}
}

func sequences(list []bus.Stored) (out []uint64) {
	for _, m := range list {
		out = append(out, m.Sequence)
	}
	return out
}
