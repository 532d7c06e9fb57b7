package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/bustest"
)

// A bucket behaves like a map with revisions.
func TestBucketIsAMap(t *testing.T) {
	b := bustest.New(t)
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		k := b.Bucket(bus.Tokens)
		type value struct {
			text string
			rev  uint64
		}
		model := map[string]value{}
		key := func() string {
			return fmt.Sprintf("r%d.%s", round, rapid.SampledFrom([]string{"a", "b", "c=E5=B7"}).Draw(t, "key"))
		}
		ctx := context.Background()
		// revision is the key's, or a wrong one.
		revision := func(t *rapid.T, key string) (rev uint64, want error) {
			have, there := model[key]
			if there && rapid.Bool().Draw(t, "right") {
				return have.rev, nil
			}
			return have.rev + 1_000_000, bus.ErrConflict
		}
		expect := func(err, want error) {
			if !errors.Is(err, want) || (want == nil) != (err == nil) {
				t.Fatalf("error is %v, want %v", err, want)
			}
		}
		keep := func(key, text string, rev uint64, err error) {
			if err == nil {
				model[key] = value{text, rev}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				key, text := key(), rapid.String().Draw(t, "text")
				rev, err := k.Put(ctx, key, []byte(text))
				expect(err, nil)
				keep(key, text, rev, err)
			},
			"create": func(t *rapid.T) {
				key := key()
				rev, err := k.Create(ctx, key, []byte("new"))
				var want error
				if _, there := model[key]; there {
					want = bus.ErrExists
				}
				expect(err, want)
				keep(key, "new", rev, err)
			},
			"update": func(t *rapid.T) {
				key := key()
				at, want := revision(t, key)
				rev, err := k.Update(ctx, key, []byte("updated"), at)
				expect(err, want)
				keep(key, "updated", rev, err)
			},
			"delete": func(*rapid.T) {
				key := key()
				expect(k.Delete(ctx, key), nil)
				delete(model, key)
			},
			"delete revision": func(t *rapid.T) {
				key := key()
				at, want := revision(t, key)
				expect(k.DeleteRevision(ctx, key, at), want)
				if want == nil {
					delete(model, key)
				}
			},
			"": func(t *rapid.T) {
				got := map[string]value{}
				err := k.Load(ctx, fmt.Sprintf("r%d", round), func(e bus.Entry) error {
					got[e.Key] = value{string(e.Value), e.Revision}
					return nil
				})
				expect(err, nil)
				if d := cmp.Diff(model, got, cmp.AllowUnexported(value{})); d != "" {
					t.Fatalf("bucket (-model +bucket):\n%s", d)
				}
				for _, name := range []string{"a", "b", "c=E5=B7"} {
					key := fmt.Sprintf("r%d.%s", round, name)
					have, there := model[key]
					e, err := k.Get(ctx, key)
					if !there {
						expect(err, bus.ErrNotFound)
					} else if expect(err, nil); string(e.Value) != have.text || e.Revision != have.rev || e.Key != key {
						t.Fatalf("%s is %+v, want %+v", key, e, have)
					}
				}
			},
		})
	})
}

func TestBucketRefusesKeys(t *testing.T) {
	k := bustest.New(t).Bucket(bus.State)
	for _, key := range []string{"", ".a", "a.", "a..b", "a b", "a*", "a.>", "工单", "a%20", "a~b"} {
		if _, err := k.Put(within(t), key, nil); err == nil {
			t.Errorf("put took key %q", key)
		}
		if _, err := k.Get(within(t), key); err == nil || errors.Is(err, bus.ErrNotFound) {
			t.Errorf("get of key %q: %v", key, err)
		}
		if err := k.Load(within(t), key, func(bus.Entry) error { return nil }); err == nil && key != "" && key != "a." {
			t.Errorf("load took prefix %q", key)
		}
	}
}

// A claim that has passed on refuses its old holder's writes, however many of them are
// under way, and never a write of the new holder.
func TestFencing(t *testing.T) {
	s := bustest.Server(t)
	old, next := bustest.Connect(t, s, bus.Options{}), bustest.Connect(t, s, bus.Options{})
	const owner, writes = "owner.acme", 1000
	claim := must(old.Bucket(bus.State).Create(within(t), owner, []byte("old")))(t)
	fence := bus.Fence{Key: owner, Revision: claim}

	var wg sync.WaitGroup
	var mu sync.Mutex
	var stored []uint64
	var refused int
	half := make(chan struct{})
	write := make(chan int)
	for range 64 {
		wg.Go(func() {
			for i := range write {
				rev, err := old.Bucket(bus.State).PutFenced(within(t), fmt.Sprintf("order.acme.work_order.%d", i), []byte("old"), fence)
				mu.Lock()
				switch {
				case err == nil:
					stored = append(stored, rev)
				case errors.Is(err, bus.ErrFenced):
					refused++
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	go func() {
		defer close(write)
		for i := range writes {
			write <- i
			if i == writes/2 {
				close(half)
			}
		}
	}()
	<-half
	taken := must(next.Bucket(bus.State).Update(within(t), owner, []byte("next"), claim))(t)
	must(next.Bucket(bus.State).PutFenced(within(t), "order.acme.work_order.1", []byte("next"), bus.Fence{Key: owner, Revision: taken}))(t)
	wg.Wait()
	for _, rev := range stored {
		if rev > taken {
			t.Fatalf("a write of the old owner has revision %d, the claim passed on at %d", rev, taken)
		}
	}
	if len(stored)+refused != writes || refused == 0 {
		t.Errorf("%d were stored and %d refused of %d", len(stored), refused, writes)
	}
	if e := must(old.Bucket(bus.State).Get(within(t), "order.acme.work_order.1"))(t); string(e.Value) != "next" {
		t.Errorf("the record is %q, the next owner's write is lost", e.Value)
	}
}

func TestFencedDeleteAndLostClaims(t *testing.T) {
	k := bustest.New(t).Bucket(bus.State)
	claim := must(k.Create(within(t), "owner.acme", nil))(t)
	fence := bus.Fence{Key: "owner.acme", Revision: claim}
	must(k.PutFenced(within(t), "wait.acme.work_order.1", []byte("x"), fence))(t)
	is(t, k.DeleteFenced(within(t), "wait.acme.work_order.1", bus.Fence{Key: "owner.acme", Revision: claim + 1}), bus.ErrFenced)
	must(k.Get(within(t), "wait.acme.work_order.1"))(t)
	if err := k.DeleteFenced(within(t), "wait.acme.work_order.1", fence); err != nil {
		t.Fatal(err)
	}
	_, err := k.Get(within(t), "wait.acme.work_order.1")
	is(t, err, bus.ErrNotFound)
	// A claim that was given back is lost too, and so is one that never was.
	if err := k.DeleteRevision(within(t), "owner.acme", claim); err != nil {
		t.Fatal(err)
	}
	_, err = k.PutFenced(within(t), "order.acme.work_order.1", nil, fence)
	is(t, err, bus.ErrFenced)
	_, err = k.PutFenced(within(t), "order.acme.work_order.1", nil, bus.Fence{Key: "owner.other", Revision: 9})
	is(t, err, bus.ErrFenced)
	// A fence of revision 0 holds while nobody has ever had the claim.
	must(k.PutFenced(within(t), "order.acme.work_order.1", nil, bus.Fence{Key: "owner.other"}))(t)
}

func TestExpire(t *testing.T) {
	b := bustest.New(t)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{400 * 24 * time.Hour, "9600h0m0s"}, {time.Millisecond, "1s"}, {1600 * time.Millisecond, "2s"}} {
		rev := must(b.Bucket(bus.State).Put(within(t), "order.acme.work_order.1", nil, bus.Expire(c.after)))(t)
		if life := must(b.Get(within(t), "KV_STATE", rev))(t).Header.Get("Nats-TTL"); life != c.want {
			t.Errorf("%v became a life of %q, want %q", c.after, life, c.want)
		}
	}
	if err := b.Bucket(bus.State).Delete(within(t), "order.acme.work_order.1"); err != nil {
		t.Fatal(err)
	}
	marker := must(b.Last(within(t), "KV_STATE", "$KV.STATE.order.acme.work_order.1"))(t)
	if life := marker.Header.Get("Nats-TTL"); life != "1h0m0s" {
		t.Errorf("the marker of a deleted key has a life of %q", life)
	}
}
