package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
)

// Bucket is a key-value bucket with the methods of [bus.Bucket].
type Bucket struct {
	name string

	mu       sync.Mutex
	life     string
	made, at time.Time // when it was made, and written last
	revision uint64
	keys     map[string]value // deleted ones too: they have a revision
	watchers map[*watcher]bool
}

type value struct {
	bus.Entry
	dies time.Time // zero: never
}

func newBucket(name, life string) *Bucket {
	return &Bucket{name: name, life: life, made: time.Now(), keys: map[string]value{}, watchers: map[*watcher]bool{}}
}

// there returns a key's value unless it was deleted or has expired.
func (k *Bucket) there(key string) (value, bool) {
	v, ok := k.keys[key]
	return v, ok && !v.Deleted && (v.dies.IsZero() || time.Now().Before(v.dies))
}

// Get reads a key.
func (k *Bucket) Get(_ context.Context, key string) (bus.Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.there(key)
	if !ok {
		return bus.Entry{}, k.failed("get", key, bus.ErrNotFound)
	}
	return v.Entry, nil
}

// Put writes a key.
func (k *Bucket) Put(_ context.Context, key string, data []byte, opts ...bus.Option) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.write(key, data, false, opts...), nil
}

// Create writes a key that has no value.
func (k *Bucket) Create(_ context.Context, key string, data []byte, opts ...bus.Option) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.there(key); ok {
		return 0, k.failed("create", key, bus.ErrExists)
	}
	return k.write(key, data, false, opts...), nil
}

// Update writes a key if it still has the revision.
func (k *Bucket) Update(_ context.Context, key string, data []byte, revision uint64, opts ...bus.Option) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[key].Revision != revision {
		return 0, k.failed("update", key, bus.ErrConflict)
	}
	return k.write(key, data, false, opts...), nil
}

// PutFenced writes a key under a claim.
func (k *Bucket) PutFenced(_ context.Context, key string, data []byte, f bus.Fence, opts ...bus.Option) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[f.Key].Revision != f.Revision {
		return 0, k.failed("put", key, bus.ErrFenced)
	}
	return k.write(key, data, false, opts...), nil
}

// DeleteRevision removes a key if it still has the revision.
func (k *Bucket) DeleteRevision(_ context.Context, key string, revision uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[key].Revision != revision {
		return k.failed("delete", key, bus.ErrConflict)
	}
	k.write(key, nil, true)
	return nil
}

// DeleteFenced removes a key under a claim.
func (k *Bucket) DeleteFenced(_ context.Context, key string, f bus.Fence) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[f.Key].Revision != f.Revision {
		return k.failed("delete", key, bus.ErrFenced)
	}
	k.write(key, nil, true)
	return nil
}

// write is called under mu.
func (k *Bucket) write(key string, data []byte, gone bool, opts ...bus.Option) uint64 {
	k.revision++
	k.at = time.Now()
	v := value{Entry: bus.Entry{Key: key, Value: slices.Clone(data), Revision: k.revision, Time: time.Now(), Deleted: gone}}
	said := map[string][]string{}
	for _, o := range opts {
		o(said)
	}
	for _, life := range said["Nats-TTL"] {
		if d, err := time.ParseDuration(life); err == nil {
			v.dies = v.Time.Add(d)
		}
	}
	k.keys[key] = v
	for w := range k.watchers {
		w.push(v.Entry)
	}
	return k.revision
}

// Load calls each for every key below a prefix, in the order of their revisions.
func (k *Bucket) Load(_ context.Context, prefix string, each func(bus.Entry) error) error {
	k.mu.Lock()
	var list []bus.Entry
	for key := range k.keys {
		if v, ok := k.there(key); ok && (prefix == "" || strings.HasPrefix(key, prefix+".")) {
			list = append(list, v.Entry)
		}
	}
	k.mu.Unlock()
	slices.SortFunc(list, func(a, b bus.Entry) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, e := range list {
		if err := each(e); err != nil {
			return k.failed("load", prefix, err)
		}
	}
	return nil
}

type watcher struct {
	pattern string
	queue   []bus.Entry
	more    chan struct{}
}

func (w *watcher) push(e bus.Entry) {
	if !fits(w.pattern, e.Key) {
		return
	}
	w.queue = append(w.queue, e)
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// Watch calls each for every present entry and then for every change, until ctx ends.
func (k *Bucket) Watch(ctx context.Context, pattern string, each func(bus.Entry)) error {
	w := &watcher{pattern: pattern, more: make(chan struct{}, 1)}
	k.mu.Lock()
	var now []bus.Entry
	for _, v := range k.keys {
		now = append(now, v.Entry)
	}
	slices.SortFunc(now, func(a, b bus.Entry) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, e := range now {
		w.push(e)
	}
	k.watchers[w] = true
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.watchers, w)
	}()
	for {
		select {
		case <-w.more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		k.mu.Lock()
		batch := w.queue
		w.queue = nil
		k.mu.Unlock()
		for _, e := range batch {
			each(e)
		}
	}
}

func (k *Bucket) failed(what, key string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", what, k.name, key, err)
}
