package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gongdan-bridge/internal/bus"
)

// door is whoever answers on a subject.
type door struct {
	ctx     context.Context
	answer  func(context.Context, []byte) []byte
	running sync.WaitGroup
}

// Serve answers requests on a subject until stop is called, which waits for those
// that are here.
func (s *Server) Serve(subject string, answer func(ctx context.Context, data []byte) []byte) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &door{ctx: ctx, answer: answer}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doors[subject] = append(s.doors[subject], d)
	return func() {
		s.mu.Lock()
		s.doors[subject] = slices.DeleteFunc(s.doors[subject], func(x *door) bool { return x == d })
		s.mu.Unlock()
		cancel()
		d.running.Wait()
	}, nil
}

// Request asks whoever serves a subject; the first answer counts.
func (s *Server) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	s.mu.Lock()
	doors := slices.Clone(s.doors[subject])
	answers := make(chan []byte, len(doors))
	for _, d := range doors {
		d.running.Go(func() { answers <- d.answer(d.ctx, data) })
	}
	s.mu.Unlock()
	if len(doors) == 0 {
		return nil, fmt.Errorf("request %s: %w", subject, bus.ErrNoResponders)
	}
	select {
	case a := <-answers:
		return a, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("request %s: %w", subject, context.Cause(ctx))
	}
}
