package bus

import (
	"context"
	"sync"
	"time"
)

// life is the time between two losses of the connection.
type life struct {
	mu    sync.Mutex
	ctx   context.Context
	leave context.CancelFunc
	last  error // why the one before ended
}

func newLife() *life {
	l := &life{}
	l.ctx, l.leave = context.WithCancel(context.Background())
	return l
}

// now is a context that ends when the connection is lost.
func (l *life) now() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ctx
}

// end ends the present life and begins the next.
func (l *life) end(why error) {
	l.mu.Lock()
	leave := l.leave
	l.ctx, l.leave = context.WithCancel(context.Background())
	if why != nil {
		l.last = why
	}
	l.mu.Unlock()
	leave()
}

// why is what the connection was lost for last, as the end of a sentence.
func (l *life) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return ""
	}
	return ": " + l.last.Error()
}

// faults remembers the last complaint of the server for a while.
type faults struct {
	memory time.Duration

	mu   sync.Mutex
	last error
	at   time.Time
}

func newFaults(memory time.Duration) *faults { return &faults{memory: memory} }

// add remembers err and says whether it is news.
func (f *faults) add(err error, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.last != nil && f.last.Error() == err.Error() && now.Sub(f.at) < f.memory
	f.last, f.at = err, now
	return !known
}

// current is the last complaint if it is young enough to matter.
func (f *faults) current(now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil || now.Sub(f.at) >= f.memory {
		return nil
	}
	return f.last
}
