package ownership

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/sleep"
)

// memory is a bucket in memory, linearizable as the real one is.
type memory struct {
	mu       sync.Mutex
	revision uint64
	keys     map[string]bus.Entry // deleted ones too
	watchers map[*watcher]bool
	wrote    func(bus.Entry) // asked at the moment of each write
}

type watcher struct {
	pattern string
	queue   []bus.Entry
	more    chan struct{}
}

func newMemory() *memory {
	return &memory{keys: map[string]bus.Entry{}, watchers: map[*watcher]bool{}, wrote: func(bus.Entry) {}}
}

func (m *memory) Get(_ context.Context, key string) (bus.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.keys[key]; ok && !e.Deleted {
		return e, nil
	}
	return bus.Entry{}, bus.ErrNotFound
}

func (m *memory) Create(_ context.Context, key string, value []byte, _ ...bus.Option) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.keys[key]; ok && !e.Deleted {
		return 0, bus.ErrExists
	}
	return m.write(bus.Entry{Key: key, Value: value}), nil
}

func (m *memory) Update(_ context.Context, key string, value []byte, revision uint64, _ ...bus.Option) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys[key].Revision != revision {
		return 0, bus.ErrConflict
	}
	return m.write(bus.Entry{Key: key, Value: value}), nil
}

func (m *memory) DeleteRevision(_ context.Context, key string, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys[key].Revision != revision {
		return bus.ErrConflict
	}
	m.write(bus.Entry{Key: key, Deleted: true})
	return nil
}

// write is called under mu.
func (m *memory) write(e bus.Entry) uint64 {
	m.revision++
	e.Revision, e.Time = m.revision, time.Now()
	m.keys[e.Key] = e
	m.wrote(e)
	for w := range m.watchers {
		w.push(e)
	}
	return e.Revision
}

func (w *watcher) push(e bus.Entry) {
	if ok, _ := path.Match(strings.ReplaceAll(w.pattern, ">", "*"), e.Key); ok {
		w.queue = append(w.queue, e)
		signal(w.more)
	}
}

func (m *memory) Watch(ctx context.Context, pattern string, each func(bus.Entry)) error {
	w := &watcher{pattern: pattern, more: make(chan struct{}, 1)}
	m.mu.Lock()
	for _, e := range m.keys {
		w.push(e)
	}
	m.watchers[w] = true
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, w)
		m.mu.Unlock()
	}()
	for {
		select {
		case <-w.more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		m.mu.Lock()
		batch := w.queue
		w.queue = nil
		m.mu.Unlock()
		for _, e := range batch {
			each(e)
		}
	}
}

func (m *memory) Load(_ context.Context, prefix string, each func(bus.Entry) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, e := range m.keys {
		if strings.HasPrefix(k, prefix+".") && !e.Deleted {
			if err := each(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// fault is what is wrong with an instance's way to the store.
type fault string

const (
	healthy fault = "healthy"
	cut     fault = "cut"    // nothing comes through
	mute    fault = "mute"   // writes do not arrive
	deaf    fault = "deaf"   // writes arrive, their answers do not
	blind   fault = "blind"  // the watch shows nothing
	slow    fault = "slow"   // calls and answers take their time, and arrive after the caller gave up
	stopped fault = "paused" // the process itself stands still
)

// link is one instance's way to the memory.
type link struct {
	*memory
	mu    sync.Mutex
	fault fault
	delay time.Duration
	gate  chan struct{} // closed while the process runs
}

func newLink(m *memory) *link {
	l := &link{memory: m, fault: healthy, gate: make(chan struct{})}
	close(l.gate)
	return l
}

func (l *link) set(f fault, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == stopped {
		close(l.gate)
	}
	if f == stopped {
		l.gate = make(chan struct{})
	}
	l.fault, l.delay = f, delay
}

// pass waits while the process stands still, and says what is wrong.
func (l *link) pass() (fault, time.Duration) {
	for {
		l.mu.Lock()
		f, d, gate := l.fault, l.delay, l.gate
		l.mu.Unlock()
		if f != stopped {
			return f, d
		}
		<-gate
	}
}

// call carries a call over the link. What has left reaches the store whatever
// becomes of the caller.
func (l *link) call(ctx context.Context, write bool, do func() error) error {
	f, delay := l.pass()
	answer := make(chan error, 1)
	switch {
	case f == cut, f == mute && write:
	case f == deaf && write:
		_ = do() // the answer is what is lost
	case f == slow:
		go func() {
			<-time.After(delay)
			err := do()
			<-time.After(delay / 2)
			answer <- err
		}()
	default:
		answer <- do()
	}
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = bus.ErrUnreachable
	}
	l.pass()
	return err
}

func (l *link) Get(ctx context.Context, key string) (e bus.Entry, err error) {
	answer := make(chan bus.Entry, 1)
	err = l.call(ctx, false, func() error {
		e, err := l.memory.Get(ctx, key)
		answer <- e
		return err
	})
	if err == nil {
		e = <-answer
	}
	return e, err
}

func (l *link) Create(ctx context.Context, key string, value []byte, _ ...bus.Option) (uint64, error) {
	return l.write(ctx, func() (uint64, error) { return l.memory.Create(ctx, key, value) })
}

func (l *link) Update(ctx context.Context, key string, value []byte, revision uint64, _ ...bus.Option) (uint64, error) {
	return l.write(ctx, func() (uint64, error) { return l.memory.Update(ctx, key, value, revision) })
}

func (l *link) DeleteRevision(ctx context.Context, key string, revision uint64) error {
	return l.call(ctx, true, func() error { return l.memory.DeleteRevision(ctx, key, revision) })
}

func (l *link) write(ctx context.Context, do func() (uint64, error)) (revision uint64, err error) {
	answer := make(chan uint64, 1)
	err = l.call(ctx, true, func() error {
		r, err := do()
		answer <- r
		return err
	})
	if err == nil {
		revision = <-answer
	}
	return revision, err
}

// Watch holds back what comes while nothing passes.
func (l *link) Watch(ctx context.Context, pattern string, each func(bus.Entry)) error {
	return l.memory.Watch(ctx, pattern, func(e bus.Entry) {
		for f, d := l.pass(); ctx.Err() == nil; f, d = l.pass() {
			if f != cut && f != blind {
				if f == slow {
					<-time.After(d)
				}
				each(e)
				return
			}
			sleep.For(ctx, 100*time.Millisecond)
		}
	})
}
