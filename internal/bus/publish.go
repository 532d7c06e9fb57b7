package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Publish stores one message and returns once the server has it on disk. It makes a
// PRODUCER span, and the message carries its trace. Errors are [ErrFull], [ErrTooLarge]
// and [ErrUnreachable]. After ErrUnreachable the message may have been stored; it may be
// sent again under the same id.
func (b *Bus) Publish(ctx context.Context, m Message) (Ack, error) {
	r, err := b.routes.of(m.Subject)
	if err == nil {
		err = checkHeaders(m.Header)
	}
	if err != nil {
		return Ack{}, fmt.Errorf("publish %s: %w", m.Subject, err)
	}
	ctx, span := b.startPublish(ctx, r.shape, m)
	ack, err := b.store(ctx, r.stream, m)
	if err == nil && ack.Duplicate && r.stream != Dead {
		ack, err = b.confirmDuplicate(ctx, m, ack)
	}
	if err != nil {
		err = fmt.Errorf("publish %s: %w", m.Subject, classify(err))
	}
	endPublish(span, ack, err)
	return ack, err
}

// store sends a message to its stream. Every message of the bridge passes here.
func (b *Bus) store(ctx context.Context, stream string, m Message) (Ack, error) {
	opts := []jetstream.PublishOpt{jetstream.WithExpectStream(stream)}
	if m.ID != "" {
		opts = append(opts, jetstream.WithMsgID(m.ID))
	}
	var a *jetstream.PubAck
	err := b.exchange(ctx, publishWait, func(ctx context.Context) (err error) {
		a, err = b.js.PublishMsg(ctx, m.wire(ctx), opts...)
		return err
	})
	if err != nil {
		return Ack{}, err
	}
	return Ack{Stream: a.Stream, Sequence: a.Sequence, Duplicate: a.Duplicate}, nil
}

// confirmDuplicate stores a message whose duplicate was removed from the stream: the server
// remembers the ids of messages that were purged or deleted, and confirms a message that
// it then does not hold. It is not called for DEAD, where a closed letter is deleted and
// must not come back.
func (b *Bus) confirmDuplicate(ctx context.Context, m Message, ack Ack) (Ack, error) {
	_, err := b.one(ctx, ack.Stream, get{Sequence: ack.Sequence})
	if !errors.Is(err, ErrNotFound) {
		return ack, err
	}
	m.ID += "/again" + strconv.FormatUint(ack.Sequence, 10)
	return b.store(ctx, ack.Stream, m)
}

// checkHeaders refuses headers that are instructions to the server.
func checkHeaders(h Header) error {
	for name := range h {
		if len(name) >= 5 && strings.EqualFold(name[:5], "Nats-") {
			return fmt.Errorf("header %s is the server's", name)
		}
	}
	return nil
}

// route leads from a subject's filter to its stream.
type route struct {
	stream string
	shape  string
	filter []string
}

// routes finds a subject's stream and shape.
type routes []route

// newRoutes puts the shapes first. A subject that matches no shape, such as that of a
// future kind of event, gets its stream's filter as shape.
func newRoutes(streams []Stream) routes {
	var rs routes
	for _, s := range streams {
		for _, shape := range s.Shapes {
			rs = append(rs, route{s.Name, shape, strings.Split(shape, ".")})
		}
	}
	for _, s := range streams {
		for _, f := range s.Subjects {
			rs = append(rs, route{s.Name, f, strings.Split(f, ".")})
		}
	}
	return rs
}

func (rs routes) of(subject string) (route, error) {
	tokens := strings.Split(subject, ".")
	for _, t := range tokens {
		if t == "" || t == "*" || t == ">" {
			return route{}, fmt.Errorf("not a subject to publish on")
		}
	}
	for _, r := range rs {
		if matches(r.filter, tokens) {
			return r, nil
		}
	}
	return route{}, fmt.Errorf("no stream takes this subject")
}

// matches compares tokens against a filter whose wildcards are *, > and {names}.
func matches(filter, tokens []string) bool {
	for i, f := range filter {
		if f == ">" {
			return len(tokens) > i
		}
		if i >= len(tokens) {
			return false
		}
		if f != "*" && f[0] != '{' && f != tokens[i] {
			return false
		}
	}
	return len(filter) == len(tokens)
}

// MaxPayload is the largest message that the server takes, in bytes, headers included.
func (b *Bus) MaxPayload() int64 { return b.nc.MaxPayload() }
