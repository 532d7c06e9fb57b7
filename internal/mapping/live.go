package mapping

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Live holds a mapping whose file may change while the bridge runs: a changed
// file is checked first, a faulty one is refused and the old mapping stays in
// force. Who has taken a mapping keeps it to the end of its event.
type Live struct {
	path    string
	o       Options
	current atomic.Pointer[Mapping]

	mu      sync.Mutex
	sources Sources          // of the mapping in force
	seen    map[string]stamp // of every file that the last attempt read
	fault   error            // why the last attempt was refused
}

// stamp tells whether a file has changed.
type stamp struct {
	size int64
	at   time.Time
	gone bool
}

// NewLive loads the mapping; it must be sound to begin with.
func NewLive(path string, o Options) (*Live, error) {
	l := &Live{path: path, o: o}
	if _, err := l.Reload(); err != nil {
		return nil, err
	}
	return l, nil
}

// Mapping is the mapping in force.
func (l *Live) Mapping() *Mapping { return l.current.Load() }

// Sources are the texts of the mapping in force, which its files may not hold any more.
func (l *Live) Sources() Sources {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sources
}

// Refused is why the file as it stands is not in force, nil if it is.
func (l *Live) Refused() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// Reload loads the file again and says whether another mapping is in force now.
// The error is the [Faults] of a file that was refused.
func (l *Live) Reload() (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reload()
}

func (l *Live) reload() (bool, error) {
	l.seen = map[string]stamp{}
	sources := Sources{Path: l.path, Texts: map[string][]byte{}}
	read := func(path string) ([]byte, error) {
		l.seen[path] = stampOf(path) // before it is read: a later change is seen
		text, err := os.ReadFile(path)
		sources.Texts[path] = text
		return text, err
	}
	m, err := loadWith(l.path, read, l.o)
	l.fault = err
	if err != nil {
		return false, err
	}
	old := l.current.Load()
	if old != nil && old.Hash() == m.Hash() {
		return false, nil
	}
	m.edited(old)
	l.current.Store(m)
	l.sources = sources
	return true, nil
}

// Check reloads if a file of the mapping has changed since the last attempt.
func (l *Live) Check() (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for path, was := range l.seen {
		if stampOf(path) != was {
			return l.reload()
		}
	}
	return false, nil
}

// Watch checks the files every so often until ctx ends, and reports each
// mapping that comes into force and each file that is refused, once.
func (l *Live) Watch(ctx context.Context, every time.Duration, report func(m *Mapping, err error)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if changed, err := l.Check(); changed || err != nil {
			report(l.Mapping(), err)
		}
	}
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{gone: true}
	}
	return stamp{size: info.Size(), at: info.ModTime()}
}
