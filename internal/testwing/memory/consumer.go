package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
)

// Consumer is a running consumer: one goroutine that handles its messages.
type Consumer struct {
	d      *durable
	handle func(*bus.Delivery)
	buffer []*bus.Delivery // came and not handled; under the server's lock

	floor   atomic.Uint64
	more    chan struct{}
	turn    chan struct{} // held while handle runs
	stopped chan struct{}
	once    sync.Once
	errs    chan error
}

// Consume creates a durable consumer or continues an existing one, as [bus.Bus.Consume]
// does.
func (s *Server) Consume(_ context.Context, c bus.ConsumerConfig, handle func(*bus.Delivery)) (*Consumer, error) {
	set := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	set(&c.MaxAckPending, 256)
	set(&c.Batch, 16)
	for _, d := range []*time.Duration{&c.AckWait, &c.CheckEvery} {
		if *d <= 0 {
			*d = 30 * time.Second
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(c.Stream)
	if err != nil {
		return nil, fmt.Errorf("consume as %s: %w", c.Name, err)
	}
	d := x.consumers[c.Name]
	if d == nil {
		start := max(c.StartSequence, 1)
		d = &durable{server: s, stream: x, next: start, top: start - 1, pending: map[uint64]*pending{}}
		x.consumers[c.Name] = d
	}
	d.cfg = c
	k := &Consumer{
		d: d, handle: handle, more: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		stopped: make(chan struct{}), errs: make(chan error, 1),
	}
	d.client = k
	d.push()
	go k.run()
	go k.monitor(c.CheckEvery)
	return k, nil
}

// monitor updates [Consumer.Floor].
func (k *Consumer) monitor(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-k.stopped:
			return
		case <-tick.C:
			k.d.server.mu.Lock()
			k.floor.Store(k.d.floor())
			k.d.server.mu.Unlock()
		}
	}
}

// Floor does what [bus.Consumer.Floor] does.
func (k *Consumer) Floor() uint64 { return k.floor.Load() }

// Err does what [bus.Consumer.Err] does.
func (k *Consumer) Err() <-chan error { return k.errs }

// Stop does what [bus.Consumer.Stop] does.
func (k *Consumer) Stop(ctx context.Context) error {
	k.end(nil)
	select {
	case k.turn <- struct{}{}:
		<-k.turn
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop consumer %s: its message is still being handled: %w", k.d.cfg.Name, context.Cause(ctx))
	}
}

func (k *Consumer) end(err error) {
	k.once.Do(func() {
		close(k.stopped)
		if err != nil {
			k.errs <- err
		}
		close(k.errs)
		k.d.server.mu.Lock()
		defer k.d.server.mu.Unlock()
		if k.d.client == k {
			k.d.client = nil
		}
	})
}

func (k *Consumer) run() {
	for {
		select {
		case <-k.stopped:
			return
		case <-k.more:
		}
		for k.one() {
		}
	}
}

// one handles the next message; it returns false if there is none.
func (k *Consumer) one() bool {
	k.turn <- struct{}{}
	defer func() { <-k.turn }()
	select {
	case <-k.stopped:
		return false
	default:
	}
	s := k.d.server
	s.mu.Lock()
	if len(k.buffer) == 0 {
		s.mu.Unlock()
		return false
	}
	m := k.buffer[0]
	k.buffer = k.buffer[1:]
	k.d.push()
	s.mu.Unlock()
	k.handle(m)
	return true
}

// ConsumerInfo returns a consumer's progress.
func (s *Server) ConsumerInfo(_ context.Context, name, consumer string) (bus.ConsumerInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.consumer(name, consumer)
	if err != nil {
		return bus.ConsumerInfo{}, err
	}
	return bus.ConsumerInfo{AckFloor: d.floor(), Delivered: d.top, NumPending: d.left(), NumAckPending: len(d.pending)}, nil
}

func (s *Server) consumer(name, consumer string) (*durable, error) {
	x, err := s.stream(name)
	if err != nil {
		return nil, err
	}
	d := x.consumers[consumer]
	if d == nil {
		return nil, fmt.Errorf("consumer %s of %s: %w", consumer, name, bus.ErrNotFound)
	}
	return d, nil
}

// DeleteConsumer removes a consumer: its client gets [bus.ErrConsumerGone], and its acks have
// no effect.
func (s *Server) DeleteConsumer(_ context.Context, name, consumer string) error {
	s.mu.Lock()
	d, err := s.consumer(name, consumer)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	delete(d.stream.consumers, consumer)
	d.gone = true
	d.arm()
	k := d.client
	s.mu.Unlock()
	if k != nil {
		k.end(fmt.Errorf("consumer %s of %s: %w", consumer, name, bus.ErrConsumerGone))
	}
	return nil
}

// Followers returns all consumers of a stream.
func (s *Server) Followers(_ context.Context, name string) ([]bus.Follower, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return nil, err
	}
	var out []bus.Follower
	for _, c := range slices.Sorted(maps.Keys(x.consumers)) {
		d := x.consumers[c]
		out = append(out, bus.Follower{Name: c, Filters: d.cfg.Filters, AckFloor: d.floor()})
	}
	return out, nil
}
