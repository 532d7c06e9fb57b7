// Package bustest gives tests a real bus: an embedded server over a directory of the
// test's own, on a free port, until the test ends. Simulations use package memory
// in its place.
package bustest

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
)

// patience bounds starting and stopping.
const patience = 30 * time.Second

// Server starts a server that ends with the test.
func Server(tb testing.TB) *natsd.Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := natsd.Start(ctx, natsd.Options{MaxStore: 20 << 30, Dir: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// New starts a server, connects to it and provisions it.
func New(tb testing.TB) *bus.Bus {
	tb.Helper()
	return Connect(tb, Server(tb), bus.Options{})
}

// Connect connects to s, for the test's time, and provisions it. The options' URL
// and token are filled in.
func Connect(tb testing.TB, s *natsd.Server, o bus.Options) *bus.Bus {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.URL, o.Token = s.URL(), s.Token()
	if o.Name == "" {
		o.Name = tb.Name()
	}
	b, err := bus.Connect(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			tb.Error(err)
		}
	})
	if err := b.Provision(ctx); err != nil {
		tb.Fatal(err)
	}
	return b
}

// Remove deletes a stream, as any client with the permission may.
func Remove(tb testing.TB, s *natsd.Server, stream string) {
	tb.Helper()
	nc, err := nats.Connect(s.URL(), nats.Token(s.Token()))
	if err != nil {
		tb.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		err = js.DeleteStream(tb.Context(), stream)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
