package memory

import (
	"errors"
	"slices"
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

// floor is how far everything is settled.
func (d *durable) floor() uint64 {
	floor := d.top
	for seq := range d.pending {
		floor = min(floor, seq-1)
	}
	return floor
}
