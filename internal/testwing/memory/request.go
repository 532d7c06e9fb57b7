package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gongdan-bridge/internal/bus"
)

// responder answers the requests on a subject.
type responder struct {
	ctx     context.Context
	answer  func(context.Context, []byte) []byte
	running sync.WaitGroup
}

// Serve answers requests on a subject until stop is called. stop waits for the requests in
// progress.
func (s *Server) Serve(subject string, answer func(ctx context.Context, data []byte) []byte) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &responder{ctx: ctx, answer: answer}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responders[subject] = append(s.responders[subject], d)
	return func() {
		s.mu.Lock()
		s.responders[subject] = slices.DeleteFunc(s.responders[subject], func(x *responder) bool { return x == d })
		s.mu.Unlock()
		cancel()
		d.running.Wait()
	}, nil
}

// Request sends a request to a responder of the subject and returns its answer.
func (s *Server) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	s.mu.Lock()
	responders := slices.Clone(s.responders[subject])
	answers := make(chan []byte, len(responders))
	for _, d := range responders {
		d.running.Go(func() { answers <- d.answer(d.ctx, data) })
	}
	s.mu.Unlock()
	if len(responders) == 0 {
		return nil, fmt.Errorf("request %s: %w", subject, bus.ErrNoResponders)
	}
	select {
	case a := <-answers:
		return a, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("request %s: %w", subject, context.Cause(ctx))
	}
}
