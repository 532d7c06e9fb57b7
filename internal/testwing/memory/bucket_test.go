package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
)

func TestBucket(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		ctx, k := t.Context(), f.bucket
		one := must(k.Create(ctx, "a.b", []byte("1")))(t)
		_, err := k.Create(ctx, "a.b", []byte("2"))
		is(t, err, bus.ErrExists)
		two := must(k.Update(ctx, "a.b", []byte("2"), one))(t)
		_, err = k.Update(ctx, "a.b", []byte("3"), one)
		is(t, err, bus.ErrConflict)
		if other := must(k.Put(ctx, "c", nil))(t); one >= two || two >= other {
			t.Errorf("revisions %d, %d, %d do not grow over the bucket", one, two, other)
		}
		if e := must(k.Get(ctx, "a.b"))(t); string(e.Value) != "2" || e.Revision != two || e.Key != "a.b" || e.Deleted {
			t.Errorf("entry %+v", e)
		}
		is(t, k.DeleteRevision(ctx, "a.b", one), bus.ErrConflict)
		if err := k.DeleteRevision(ctx, "a.b", two); err != nil {
			t.Fatal(err)
		}
		_, err = k.Get(ctx, "a.b")
		is(t, err, bus.ErrNotFound)
		_, err = k.Update(ctx, "a.b", []byte("4"), two)
		is(t, err, bus.ErrConflict)
		if again := must(k.Create(ctx, "a.b", []byte("5")))(t); again <= two {
			t.Errorf("a key that was made anew has revision %d", again)
		}
	})
}

func TestFences(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		ctx, k := t.Context(), f.bucket
		fence := bus.Fence{Key: "owner.acme", Revision: must(k.Create(ctx, "owner.acme", []byte("one")))(t)}
		must(k.PutFenced(ctx, "order.7", []byte("1"), fence))(t)
		must(k.PutFenced(ctx, "order.7", []byte("2"), fence))(t)
		if err := k.DeleteFenced(ctx, "wait.7", fence); err != nil { // of a key that is not there, too
			t.Fatal(err)
		}
		must(k.PutFenced(ctx, "wait.7", nil, fence))(t)
		next := bus.Fence{Key: fence.Key, Revision: must(k.Update(ctx, "owner.acme", []byte("two"), fence.Revision))(t)}
		_, err := k.PutFenced(ctx, "order.7", []byte("stale"), fence)
		is(t, err, bus.ErrFenced)
		is(t, k.DeleteFenced(ctx, "wait.7", fence), bus.ErrFenced)
		if e := must(k.Get(ctx, "order.7"))(t); string(e.Value) != "2" {
			t.Errorf("the record is %q", e.Value)
		}
		must(k.Get(ctx, "wait.7"))(t)
		if err := k.DeleteFenced(ctx, "wait.7", next); err != nil {
			t.Fatal(err)
		}
		_, err = k.Get(ctx, "wait.7")
		is(t, err, bus.ErrNotFound)
		if err := k.DeleteRevision(ctx, "owner.acme", next.Revision); err != nil {
			t.Fatal(err)
		}
		_, err = k.PutFenced(ctx, "order.7", []byte("ownerless"), next)
		is(t, err, bus.ErrFenced)
	})
}

func TestExpire(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		ctx, k := t.Context(), f.bucket
		must(k.Put(ctx, "short", []byte("1"), bus.Expire(time.Second)))(t)
		must(k.Put(ctx, "kept", []byte("1"), bus.Expire(time.Second)))(t)
		must(k.Put(ctx, "kept", []byte("2")))(t) // each write says anew
		must(k.Get(ctx, "short"))(t)
		until(t, "it is gone", func() bool {
			_, err := k.Get(ctx, "short")
			return errors.Is(err, bus.ErrNotFound)
		})
		must(k.Get(ctx, "kept"))(t)
		must(k.Create(ctx, "short", nil))(t)
	})
}

func TestLoad(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		ctx, k := t.Context(), f.bucket
		for _, key := range []string{"wait.acme.work_order.1", "wait.acme.work_order.2", "wait.acme2.work_order.1", "wait", "wait.acme", "wait.acme.opportunity.3", "wait.acme.work_order.1"} {
			must(k.Put(ctx, key, []byte(key)))(t)
		}
		e := must(k.Get(ctx, "wait.acme.work_order.2"))(t)
		if err := k.DeleteRevision(ctx, e.Key, e.Revision); err != nil {
			t.Fatal(err)
		}
		load := func(prefix string) (out []string) {
			if err := k.Load(ctx, prefix, func(e bus.Entry) error {
				out = append(out, e.Key)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return out
		}
		if d := cmp.Diff([]string{"wait.acme.opportunity.3", "wait.acme.work_order.1"}, load("wait.acme")); d != "" {
			t.Errorf("below wait.acme (-want +got):\n%s", d)
		}
		if d := cmp.Diff(5, len(load(""))); d != "" {
			t.Errorf("all (-want +got):\n%s", d)
		}
		enough := errors.New("enough")
		is(t, k.Load(ctx, "wait.acme", func(bus.Entry) error { return enough }), enough)
	})
}

func TestWatch(t *testing.T) {
	both(t, func(t *testing.T, f form) {
		k := f.bucket
		must(k.Put(t.Context(), "owner.acme", []byte("1")))(t)
		must(k.Put(t.Context(), "owner.acme", []byte("2")))(t)
		must(k.Put(t.Context(), "alive.one", []byte("x")))(t)
		ctx, cancel := context.WithCancel(t.Context())
		got, ended := make(chan bus.Entry, 10), make(chan error, 1)
		go func() { ended <- k.Watch(ctx, "owner.>", func(e bus.Entry) { got <- e }) }()
		if e := receive(t, got); string(e.Value) != "2" || e.Key != "owner.acme" {
			t.Errorf("first %+v", e)
		}
		rev := must(k.Put(t.Context(), "owner.acme", []byte("3")))(t)
		if e := receive(t, got); string(e.Value) != "3" || e.Revision != rev {
			t.Errorf("then %+v", e)
		}
		if err := k.DeleteRevision(t.Context(), "owner.acme", rev); err != nil {
			t.Fatal(err)
		}
		if e := receive(t, got); !e.Deleted || e.Revision <= rev {
			t.Errorf("at last %+v", e)
		}
		cancel()
		is(t, receive(t, ended), context.Canceled)
	})
}
