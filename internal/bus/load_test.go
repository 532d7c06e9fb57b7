package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestLoadTenThousand(t *testing.T) {
	b := bustest.New(t)
	fill(t, b, 10_000)
	got := map[string]bool{}
	err := b.Bucket(bus.State).Load(within(t), "wait.acme", func(e bus.Entry) error {
		got[e.Key] = true
		return nil
	})
	if err != nil || len(got) != 10_000 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	refused := errors.New("enough")
	n := 0
	is(t, b.Bucket(bus.State).Load(within(t), "wait.acme", func(bus.Entry) error { n++; return refused }), refused)
	if n != 1 {
		t.Errorf("called %d times after it failed", n)
	}
}

// fill writes n waiting orders of acme, some of another tenant, and a deleted one.
func fill(t testing.TB, b *bus.Bus, n int) {
	t.Helper()
	k := b.Bucket(bus.State)
	keys := make(chan string)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for key := range keys {
				if _, err := k.Put(context.Background(), key, bytes.Repeat([]byte("x"), 500)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		keys <- fmt.Sprintf("wait.acme.work_order.%d", i)
		if i%100 == 0 {
			keys <- fmt.Sprintf("wait.acme2.work_order.%d", i)
			keys <- fmt.Sprintf("order.acme.work_order.%d", i)
		}
	}
	keys <- "wait.acme.gone"
	close(keys)
	wg.Wait()
	if err := k.Delete(context.Background(), "wait.acme.gone"); err != nil {
		t.Fatal(err)
	}
}

// Entries that are written while they are loaded are not missed.
func TestLoadUnderWrites(t *testing.T) {
	s := bustest.Server(t)
	b, writer := bustest.Connect(t, s, bus.Options{}), bustest.Connect(t, s, bus.Options{})
	fill(t, b, 2000)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_, err := writer.Bucket(bus.State).Put(ctx, fmt.Sprintf("wait.acme.work_order.%d", i*37%2000), []byte("again"))
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	for range 5 {
		got := map[string]bool{}
		if err := b.Bucket(bus.State).Load(within(t), "wait.acme.", func(e bus.Entry) error { got[e.Key] = true; return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2000 {
			t.Errorf("%d of 2000 entries were found", len(got))
		}
	}
	cancel()
	wg.Wait()
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Options{Dir: dir})
	b := bustest.Connect(t, s, bus.Options{})
	k := b.Bucket(bus.State)
	must(k.Put(within(t), "alive.one", []byte("1")))(t)
	must(k.Put(within(t), "alive.one", []byte("2")))(t)
	must(k.Put(within(t), "owner.acme", []byte("x")))(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	got, ended := make(chan string, 10), make(chan error, 1)
	go func() {
		ended <- k.Watch(ctx, "alive.*", func(e bus.Entry) {
			got <- fmt.Sprintf("%s=%s %t", e.Key, e.Value, e.Deleted)
		})
	}()
	expect := func(want string) {
		t.Helper()
		if have := receive(t, got); have != want {
			t.Errorf("watched %q, want %q", have, want)
		}
	}
	expect("alive.one=2 false")
	must(k.Put(within(t), "alive.two", []byte("3")))(t)
	expect("alive.two=3 false")
	if err := k.Delete(within(t), "alive.one"); err != nil {
		t.Fatal(err)
	}
	expect("alive.one= true")
	port := portOf(t, s)
	stop(t, s)
	s = start(t, natsd.Options{Dir: dir, Port: port})
	must(bustest.Connect(t, s, bus.Options{}).Bucket(bus.State).Put(within(t), "alive.two", []byte("4")))(t)
	expect("alive.two=4 false")
	gone := errors.New("gone home")
	cancel(gone)
	is(t, receive(t, ended), gone)
}
