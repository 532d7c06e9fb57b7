package dispatch

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
)

// held is the messages that wait for their turn here; telling the server that
// we are at it keeps them from coming again meanwhile.
type held struct {
	mu sync.Mutex
	m  map[*bus.Delivery]struct{}
}

func (h *held) add(m *bus.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		h.m = make(map[*bus.Delivery]struct{})
	}
	h.m[m] = struct{}{}
}

func (h *held) drop(m *bus.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.m, m)
}

func (h *held) beat(ctx context.Context, every time.Duration) {
	t := time.NewTicker(max(every, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		h.mu.Lock()
		for m := range h.m {
			_ = m.InProgress() // a lost beat only means that the message comes again
		}
		h.mu.Unlock()
	}
}

func stack() string { return string(debug.Stack()) }
