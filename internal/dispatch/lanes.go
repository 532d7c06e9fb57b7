package dispatch

import "sync"

// lanes runs work one at a time per key, in the order given, and at most
// `width` at once over all keys. An order that waits holds no place.
type lanes struct {
	mu     sync.Mutex
	queues map[string][]func()
	width  chan struct{}
	wg     sync.WaitGroup
}

func newLanes(width int) *lanes {
	return &lanes{queues: make(map[string][]func()), width: make(chan struct{}, max(width, 1))}
}

// add puts work behind what the key already has. It does not block.
func (l *lanes) add(key string, work func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, running := l.queues[key]
	l.queues[key] = append(q, work)
	if !running {
		l.wg.Go(func() { l.run(key) })
	}
}

func (l *lanes) run(key string) {
	for {
		l.mu.Lock()
		q := l.queues[key]
		if len(q) == 0 {
			delete(l.queues, key)
			l.mu.Unlock()
			return
		}
		work := q[0]
		l.queues[key] = q[1:]
		l.mu.Unlock()
		l.width <- struct{}{}
		work()
		<-l.width
	}
}

// wait returns when all work is done; nothing may be added meanwhile.
func (l *lanes) wait() { l.wg.Wait() }
