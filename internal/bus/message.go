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
	ID          string // within a stream; an id is stored once within the duplicate window. "": no message is a duplicate
	ContentType string // header Content-Type; "": none
	Header      Header // more headers; names that begin with Nats- are refused
	Data        []byte
}

// Ack is the server's confirmation that a message is on disk.
type Ack struct {
	Stream    string
	Sequence  uint64
	Duplicate bool // a message with this id was stored before, at Sequence
}

// Stored is a message of a stream.
type Stored struct {
	Stream, Subject string
	Sequence        uint64
	Time            time.Time // when it was stored
	Header          Header
	Data            []byte
}

// ID returns the id under which the message was published.
func (s Stored) ID() string { return s.Header.Get(jetstream.MsgIDHeader) }

// Context returns ctx with the trace of the publisher as remote parent.
func (s Stored) Context(ctx context.Context) context.Context {
	return propagator().Extract(ctx, carrier(s.Header))
}

// Delivery is a message that the server delivered to a consumer.
type Delivery struct {
	Stored
	Delivered uint64 // number of deliveries of this message, this one included
	Pending   uint64 // messages that wait behind it
	Turn      uint64 // number of this delivery among all of the consumer, from 1; a gap means that one was lost

	msg settler
}

// settler acknowledges a message: in JetStream, or in a log in memory.
type settler interface {
	Ack() error
	DoubleAck(ctx context.Context) error
}

// Settler is the acknowledgement of a [Delivery] from a log in memory.
type Settler func() error

// Ack settles the delivery.
func (f Settler) Ack() error { return f() }

// DoubleAck settles the delivery: a log in memory confirms at once.
func (f Settler) DoubleAck(context.Context) error { return f() }

// By returns the delivery with another acknowledgement.
func (d Delivery) By(f Settler) *Delivery {
	d.msg = f
	return &d
}

// Ack settles the message. It does not wait for the server. A server that is killed may
// forget it, and redeliver the message.
func (d *Delivery) Ack() error { return classify(d.msg.Ack()) }

// DoubleAck settles the message and waits for the server's confirmation. The server's
// disk may still forget it; see [Delivery.Ack].
func (d *Delivery) DoubleAck(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return classify(d.msg.DoubleAck(ctx))
}

// delivered translates a delivery of the client library.
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

// wire returns the message for NATS, with the trace of ctx in its headers.
func (m Message) wire(ctx context.Context) *nats.Msg {
	h := make(nats.Header, len(m.Header)+5)
	maps.Copy(h, nats.Header(m.Header))
	if m.ContentType != "" {
		h["Content-Type"] = []string{m.ContentType}
	}
	propagator().Inject(ctx, carrier(h))
	return &nats.Msg{Subject: m.Subject, Header: h, Data: m.Data}
}
