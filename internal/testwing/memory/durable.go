package memory

import (
	"errors"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
)

// durable is the server's side of a consumer. The server's lock guards it.
type durable struct {
	server  *Server
	stream  *stream
	cfg     bus.ConsumerConfig
	gone    bool
	next    uint64 // the first undelivered message
	top     uint64 // the last delivered message
	turn    uint64
	pending map[uint64]*pending // delivered and not settled
	again   []uint64            // those of pending that are due for redelivery
	alarm   *time.Timer
	client  *Consumer // the present client; nil for none
}

type pending struct {
	times uint64
	until time.Time // the time of its redelivery; zero once that is due
}

// push sends the client the messages that it asked for, redeliveries first.
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

// pick returns the next message to deliver, nil if there is none.
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

// arm sets the timer for the next redelivery.
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

// overdue redelivers the messages that were not settled in time, in the stream's order.
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

// errNoConsumer is the error of an ack to a deleted consumer; only DoubleAck returns it.
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

// floor returns the sequence up to which all messages are settled.
func (d *durable) floor() uint64 {
	floor := d.top
	for seq := range d.pending {
		floor = min(floor, seq-1)
	}
	return floor
}
