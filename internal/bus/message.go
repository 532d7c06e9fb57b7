package bus

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Header holds a message's headers under their exact names.
type Header map[string][]string

// Get is the first value of the header of that name, whatever its case.
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	for k, v := range h {
		if len(v) > 0 && strings.EqualFold(k, name) {
			return v[0]
		}
	}
	return ""
}

// Message is one message to publish.
type Message struct {
	Subject     string
	ID          string // stream-wide; the same id within the duplicate window is stored once. "": never a duplicate
	ContentType string // header Content-Type; "": none
	Header      Header // more headers; names that begin with Nats- are the server's and are refused
	Data        []byte
}

// Ack is the server's word that a message is stored and on disk.
type Ack struct {
	Stream    string
	Sequence  uint64
	Duplicate bool // a message of this id was there already, at Sequence
}

// Stored is a message of a stream.
type Stored struct {
	Stream, Subject string
	Sequence        uint64
	Time            time.Time // when it was stored
	Header          Header
	Data            []byte
}

// ID is the message id under which it was published.
func (s Stored) ID() string { return s.Header.Get(jetstream.MsgIDHeader) }

// Context is ctx with the trace in which the message was sent as remote parent.
func (s Stored) Context(ctx context.Context) context.Context {
	return propagator().Extract(ctx, carrier(s.Header))
}

// Delivery is a message that a consumer was given.
type Delivery struct {
	Stored
	Delivered uint64 // how often, this time included: 1 is the first
	Pending   uint64 // messages that wait behind it
	Turn      uint64 // the consumer's own count of deliveries, from 1, without gaps where none was lost on the way

	msg settler
}

// settler is what settles a message: JetStream's own, or that of another log.
type settler interface {
	Ack() error
	DoubleAck(ctx context.Context) error
}

// Settler is ack as all that settles a delivery, for a [Delivery] of a log in
// memory.
type Settler func() error

// Ack settles the delivery.
func (f Settler) Ack() error { return f() }

// DoubleAck settles it; nothing is on its way to anybody.
func (f Settler) DoubleAck(context.Context) error { return f() }

// By gives the delivery to a log that is not JetStream's.
func (d Delivery) By(f Settler) *Delivery {
	d.msg = f
	return &d
}

// Ack settles the message. It does not wait for the server, and a server that is
// killed may forget it: what was settled can come again.
func (d *Delivery) Ack() error { return classify(d.msg.Ack()) }

// DoubleAck settles the message and waits until the server has said so (its disk
// may still forget, see [Delivery.Ack]).
func (d *Delivery) DoubleAck(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return classify(d.msg.DoubleAck(ctx))
}

// delivered translates what the consumer was given.
func delivered(m jetstream.Msg) (*Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	return &Delivery{
		Stored: Stored{
			Stream:   meta.Stream,
			Subject:  m.Subject(),
			Sequence: meta.Sequence.Stream,
			Time:     meta.Timestamp,
			Header:   Header(m.Headers()),
			Data:     m.Data(),
		},
		Delivered: meta.NumDelivered,
		Pending:   meta.NumPending,
		Turn:      meta.Sequence.Consumer,
		msg:       m,
	}, nil
}

// wire is the message as NATS sends it, with the trace of ctx in its headers.
func (m Message) wire(ctx context.Context) *nats.Msg {
	h := make(nats.Header, len(m.Header)+5)
	maps.Copy(h, nats.Header(m.Header))
	if m.ContentType != "" {
		h["Content-Type"] = []string{m.ContentType}
	}
	propagator().Inject(ctx, carrier(h))
	return &nats.Msg{Subject: m.Subject, Header: h, Data: m.Data}
}
