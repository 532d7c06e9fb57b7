package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a server whose end the test sees to.
func start(t testing.TB, o natsd.Options) *natsd.Server {
	t.Helper()
	o.MaxStore = 20 << 30
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := natsd.Start(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s *natsd.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// within is a context that no sound step of a test outlives.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// is fails unless err is want.
func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// must takes the result of a call in place and gives its value, or fails.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// receive waits for one value.
func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatal("channel is closed")
		}
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// callback is a message for stream CALLBACKS.
func callback(n int) bus.Message {
	return bus.Message{
		Subject: fmt.Sprintf("gongdan.acme.event.weiban.work_order_change.close.%d", n),
		ID:      fmt.Sprintf("acme/%d", n),
		Data:    fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func publish(t testing.TB, b *bus.Bus, ms ...bus.Message) (last bus.Ack) {
	t.Helper()
	for _, m := range ms {
		ack, err := b.Publish(within(t), m)
		if err != nil {
			t.Fatal(err)
		}
		last = ack
	}
	return last
}
