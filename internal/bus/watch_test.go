package bus_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

// watched follows a bucket on a connection of its own, as its users do: a watch that
// ends is begun again. stop ends both, and fails the test where that takes long.
func watched(t *testing.T, s *natsd.Server) (got <-chan string, ends <-chan error, stop func()) {
	t.Helper()
	b := must(bus.Connect(within(t), bus.Options{URL: s.URL(), Token: s.Token()}))(t)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended, done := make(chan string, 100), make(chan error, 100), make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := b.Bucket(bus.Tables).Watch(ctx, ">", func(e bus.Entry) { told <- fmt.Sprintf("%s=%s", e.Key, e.Value) })
			if ctx.Err() == nil {
				ended <- err
				select {
				case <-time.After(50 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
	}()
	return told, ended, func() {
		t.Helper()
		begun := time.Now()
		cancel()
		<-done
		if err := b.Close(within(t)); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %v to stop", took)
		}
	}
}

// A bucket that is removed and made again under a watch counts from 1 again: the
// watch ends, and the next one tells what is there. It can be stopped at any time.
func TestWatchOfABucketThatIsRemoved(t *testing.T) {
	for _, again := range []bool{true, false} {
		t.Run(fmt.Sprint("made again: ", again), func(t *testing.T) {
			s := bustest.Server(t)
			b := bustest.Connect(t, s, bus.Options{})
			k := b.Bucket(bus.Tables)
			for i := range 3 {
				must(k.Put(within(t), "acme.x", fmt.Append(nil, i)))(t)
			}
			got, ends, stop := watched(t, s)
			if have := receive(t, got); have != "acme.x=2" {
				t.Fatalf("watched %s", have)
			}
			bustest.Remove(t, s, "KV_"+bus.Tables)
			is(t, receive(t, ends), bus.ErrUnprovisioned)
			if again {
				if missing := must(b.Mend(within(t)))(t); len(missing) != 1 || missing[0] != "KV_TABLES" {
					t.Fatalf("made again: %v", missing)
				}
				must(k.Put(within(t), "acme.y", []byte("new")))(t)
				if have := receive(t, got); have != "acme.y=new" {
					t.Fatalf("watched %s", have)
				}
			}
			stop()
		})
	}
}

// An older copy that was put back while the server was down has other values under
// the numbers that were seen, whether it has outgrown them or not.
func TestWatchOfABucketThatIsOlder(t *testing.T) {
	for _, outgrown := range []bool{false, true} {
		t.Run(fmt.Sprint("outgrown: ", outgrown), func(t *testing.T) {
			dir, older := t.TempDir(), t.TempDir()
			o := natsd.Options{Dir: dir}
			s := start(t, o)
			k := bustest.Connect(t, s, bus.Options{}).Bucket(bus.Tables)
			must(k.Put(within(t), "acme.x", []byte("old")))(t)
			o.Port = portOf(t, s)
			stop(t, s)
			folder := func(dir string) string { return filepath.Join(dir, "jetstream", "$G", "streams", "KV_TABLES") }
			if err := os.CopyFS(folder(older), os.DirFS(folder(dir))); err != nil {
				t.Fatal(err)
			}
			s = start(t, o)
			k = bustest.Connect(t, s, bus.Options{}).Bucket(bus.Tables)
			must(k.Put(within(t), "acme.y", []byte("seen")))(t)
			got, ends, end := watched(t, s)
			for _, want := range []string{"acme.x=old", "acme.y=seen"} {
				if have := receive(t, got); have != want {
					t.Fatalf("watched %s, want %s", have, want)
				}
			}
			stop(t, s)
			if err := os.RemoveAll(folder(dir)); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(folder(dir), os.DirFS(folder(older))); err != nil {
				t.Fatal(err)
			}
			if outgrown { // before the watch is back: on another port
				other := start(t, natsd.Options{Dir: dir})
				k := bustest.Connect(t, other, bus.Options{}).Bucket(bus.Tables)
				must(k.Put(within(t), "acme.z", []byte("1")))(t)
				must(k.Put(within(t), "acme.w", []byte("2")))(t)
				stop(t, other)
			}
			start(t, o)
			if err := receive(t, ends); err == nil {
				t.Error("the watch ended without an error")
			}
			if have := receive(t, got); have != "acme.x=old" {
				t.Errorf("watched %s", have)
			}
			end()
		})
	}
}
