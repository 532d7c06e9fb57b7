package bus

import (
	"context"
	"sync"
	"time"
)

// session is the time between two losses of the connection.
type session struct {
	mu    sync.Mutex
	ctx   context.Context
	leave context.CancelFunc
	last  error // why the session before ended
}

func newSession() *session {
	s := &session{}
	s.ctx, s.leave = context.WithCancel(context.Background())
	return s
}

// context returns a context that ends when the connection is lost.
func (s *session) context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx
}

// end ends the present session and begins the next.
func (s *session) end(why error) {
	s.mu.Lock()
	leave := s.leave
	s.ctx, s.leave = context.WithCancel(context.Background())
	if why != nil {
		s.last = why
	}
	s.mu.Unlock()
	leave()
}

// loss returns why the connection was lost last, as the end of a sentence.
func (s *session) loss() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return ""
	}
	return ": " + s.last.Error()
}

// faults keeps the server's last reported fault for a while.
type faults struct {
	memory time.Duration

	mu   sync.Mutex
	last error
	at   time.Time
}

func newFaults(memory time.Duration) *faults { return &faults{memory: memory} }

// add keeps err. It returns false if the same fault is kept already.
func (f *faults) add(err error, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.last != nil && f.last.Error() == err.Error() && now.Sub(f.at) < f.memory
	f.last, f.at = err, now
	return !known
}

// current is the last fault, nil once its time is over.
func (f *faults) current(now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil || now.Sub(f.at) >= f.memory {
		return nil
	}
	return f.last
}
