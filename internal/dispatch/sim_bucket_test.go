package dispatch_test

import (
	"context"
	"strings"

	"gongdan-bridge/internal/bus"
)

// portBucket is a process's way to the records and to the claims.
type portBucket struct{ p *process }

// family is what a key is about.
func family(key string) string {
	f, _, _ := strings.Cut(key, ".")
	return f
}

func (b portBucket) Get(ctx context.Context, key string) (bus.Entry, error) {
	return ask(ctx, b.p, "get "+key, func() (bus.Entry, error) {
		if b.p.w.mistake.get != nil {
			if e, err := b.p.w.mistake.get(b.p.w, key); e != nil || err != nil {
				return *e, err
			}
		}
		b.p.w.mu.Lock()
		old, ok := b.p.w.olds[key]
		b.p.w.mu.Unlock()
		if ok {
			return old.Entry, old.err
		}
		return b.p.w.state.Get(ctx, key)
	})
}

func (b portBucket) Load(ctx context.Context, prefix string, each func(bus.Entry) error) error {
	return b.p.do(ctx, "load "+prefix, func() error {
		if b.p.w.mistake.forgetsWaiting {
			return nil
		}
		return b.p.w.state.Load(ctx, prefix, each)
	})
}

func (b portBucket) PutFenced(ctx context.Context, key string, value []byte, f bus.Fence, opts ...bus.Option) (uint64, error) {
	w := b.p.w
	return ask(ctx, b.p, "put "+key, func() (uint64, error) {
		if w.mistake.put != nil && w.mistake.put(b.p, key) {
			return f.Revision + 1, nil
		}
		owner := w.books.owner()
		b.old(key)
		rev, err := w.state.PutFenced(ctx, key, value, w.mistake.fence(f), opts...)
		if err == nil && owner != b.p.name && !w.unclaimed() {
			w.fail("%s writes %s, and %q owns the tenant", b.p.name, key, owner)
		}
		w.logf("%s puts %s: %v %s", b.p.name, key, err, value)
		return rev, err
	})
}

func (b portBucket) DeleteFenced(ctx context.Context, key string, f bus.Fence) error {
	w := b.p.w
	return b.p.do(ctx, "delete "+key, func() error {
		if w.mistake.put != nil && w.mistake.put(b.p, "un"+key) {
			return nil
		}
		return w.state.DeleteFenced(ctx, key, w.mistake.fence(f))
	})
}

func (b portBucket) Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error) {
	return ask(ctx, b.p, "claim "+family(key), func() (uint64, error) { return b.p.w.state.Create(ctx, key, value, opts...) })
}

func (b portBucket) Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error) {
	return ask(ctx, b.p, "claim "+family(key), func() (uint64, error) {
		if b.p.w.mistake.believesLease && family(key) == "alive" {
			return revision, nil
		}
		return b.p.w.state.Update(ctx, key, value, revision, opts...)
	})
}

func (b portBucket) DeleteRevision(ctx context.Context, key string, revision uint64) error {
	return b.p.do(ctx, "claim "+family(key), func() error { return b.p.w.state.DeleteRevision(ctx, key, revision) })
}

// Watch shows what changes, when the process can see it.
func (b portBucket) Watch(ctx context.Context, pattern string, each func(bus.Entry)) error {
	return b.p.w.state.Watch(ctx, pattern, func(e bus.Entry) {
		if b.p.awake() == nil && !b.p.w.mistake.believesLease {
			each(e)
		}
	})
}
