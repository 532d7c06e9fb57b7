package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/bus"
)

// durable is a consumer as the server keeps it; under the server's lock.
type durable struct {
	server  *Server
	stream  *stream
	cfg     bus.ConsumerConfig
	gone    bool
	next    uint64 // the first message that was not delivered yet
	top     uint64 // the last that was
	turn    uint64
	pending map[uint64]*pending // delivered and not settled
	again   []uint64            // of those, what is to be delivered again
	alarm   *time.Timer
	client  *Consumer // that asks for messages now; nil for none
}

type pending struct {
	times uint64
	until time.Time // then it is delivered again; zero while it is about to be
}

// Consumer is a running consumer: one goroutine that handles what came.
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

// Consume makes a durable consumer or takes up the one that is there, as
// [bus.Bus.Consume] does.
func (s *Server) Consume(_ context.Context, c bus.ConsumerConfig, handle func(*bus.Delivery)) (*Consumer, error) {
	set := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	set(&c.MaxAckPending, 256)
	set(&c.Batch, 16)
	for _, d := range []*time.Duration{&c.AckWait, &c.Look} {
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
	go k.watch(c.Look)
	return k, nil
}

// watch keeps [Consumer.Floor].
func (k *Consumer) watch(every time.Duration) {
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

// Floor is that of [bus.Consumer].
func (k *Consumer) Floor() uint64 { return k.floor.Load() }

// Err is that of [bus.Consumer].
func (k *Consumer) Err() <-chan error { return k.errs }

// Stop is that of [bus.Consumer].
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

// one handles the next message; false if there is none.
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

// push sends the client what it has asked for, first what is due again.
func (d *durable) push() {
	for d.client != nil && !d.gone && len(d.client.buffer) < d.cfg.Batch {
		m, p := d.pick()
		if m == nil {
			break
		}
		d.turn++
		p.times++
		p.until = time.Now().Add(d.cfg.AckWait)
		turn := d.turn
		d.client.buffer = append(d.client.buffer, bus.Delivery{
			Stored: given(*m), Delivered: p.times, Pending: d.left(), Turn: turn,
		}.By(func() error { return d.ack(m.Sequence) }))
		select {
		case d.client.more <- struct{}{}:
		default:
		}
	}
	d.arm()
}

// pick is what is delivered next; nil if that is nothing.
func (d *durable) pick() (*bus.Stored, *pending) {
	for len(d.again) > 0 {
		seq := d.again[0]
		d.again = d.again[1:]
		p := d.pending[seq]
		m := d.stream.at(seq)
		if p != nil && m == nil {
			delete(d.pending, seq) // it left the stream
		}
		if p != nil && m != nil {
			return m, p
		}
	}
	if len(d.pending) >= d.cfg.MaxAckPending {
		return nil, nil
	}
	m := d.stream.next(d.cfg.Filters, d.next)
	if m == nil {
		return nil, nil
	}
	d.next, d.top = m.Sequence+1, m.Sequence
	p := &pending{}
	d.pending[m.Sequence] = p
	return m, p
}

func (d *durable) left() (n uint64) {
	for from := d.next; ; n++ {
		m := d.stream.next(d.cfg.Filters, from)
		if m == nil {
			return n
		}
		from = m.Sequence + 1
	}
}

// arm sets the timer for the first message that is to come again.
func (d *durable) arm() {
	first := time.Time{}
	for _, p := range d.pending {
		if !p.until.IsZero() && (first.IsZero() || p.until.Before(first)) {
			first = p.until
		}
	}
	switch {
	case first.IsZero() || d.gone:
		if d.alarm != nil {
			d.alarm.Stop()
		}
	case d.alarm == nil:
		d.alarm = time.AfterFunc(time.Until(first), d.overdue)
	default:
		d.alarm.Reset(time.Until(first))
	}
}

// overdue delivers again what was not settled in time, in the stream's order.
func (d *durable) overdue() {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	now, n := time.Now(), len(d.again)
	for seq, p := range d.pending {
		if !p.until.IsZero() && !p.until.After(now) {
			p.until = time.Time{}
			d.again = append(d.again, seq)
		}
	}
	slices.Sort(d.again[n:])
	d.push()
}

// errNoConsumer is what an ack to a consumer that is gone comes to; only DoubleAck
// would tell.
var errNoConsumer = errors.New("no such consumer")

func (d *durable) ack(seq uint64) error {
	d.server.mu.Lock()
	defer d.server.mu.Unlock()
	if d.gone {
		return errNoConsumer
	}
	delete(d.pending, seq)
	d.push()
	return nil
}

// ConsumerInfo is how far a consumer has come.
func (s *Server) ConsumerInfo(_ context.Context, name, consumer string) (bus.ConsumerInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.consumer(name, consumer)
	if err != nil {
		return bus.ConsumerInfo{}, err
	}
	return bus.ConsumerInfo{AckFloor: d.floor(), Delivered: d.top, NumPending: d.left(), NumAckPending: len(d.pending)}, nil
}

// floor is how far everything is settled.
func (d *durable) floor() uint64 {
	floor := d.top
	for seq := range d.pending {
		floor = min(floor, seq-1)
	}
	return floor
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

// DeleteConsumer removes a consumer: its client gets [bus.ErrConsumerGone], and
// acks to it count for nothing.
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

// Followers are all consumers of a stream.
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
