package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// pageAtOnce and pageBytes bound a request that reads many messages.
const (
	pageAtOnce = 512
	pageBytes  = 8 * mib
)

// Last returns the newest message of a subject (wildcards allowed); [ErrNotFound] if
// there is none.
func (b *Bus) Last(ctx context.Context, stream, subject string) (Stored, error) {
	s, err := b.one(ctx, stream, get{Last: subject})
	if err != nil {
		return Stored{}, fmt.Errorf("read %s: last of %s: %w", stream, subject, err)
	}
	return s, nil
}

// Get returns the message with a sequence; [ErrNotFound] if the stream does not hold it.
func (b *Bus) Get(ctx context.Context, stream string, seq uint64) (Stored, error) {
	if seq == 0 {
		return Stored{}, fmt.Errorf("read %s: message 0: %w", stream, ErrNotFound)
	}
	s, err := b.one(ctx, stream, get{Sequence: seq})
	if err != nil {
		return Stored{}, fmt.Errorf("read %s: message %d: %w", stream, seq, err)
	}
	return s, nil
}

// Next returns the first message of a subject (wildcards allowed) from sequence from on;
// [ErrNotFound] if there is none yet. With several replicas it asks the leader, which
// has every confirmed message.
func (b *Bus) Next(ctx context.Context, stream, subject string, from uint64) (Stored, error) {
	s, err := b.one(ctx, stream, get{Next: subject, Sequence: max(from, 1)})
	if err != nil {
		return Stored{}, fmt.Errorf("read %s: next of %s from %d: %w", stream, subject, from, err)
	}
	return s, nil
}

// Page returns up to n messages of a subject (wildcards allowed; "" is every subject)
// from sequence from on, oldest first; fewer, or none, at the stream's end. Any replica
// may answer, so the newest messages may be missing. It serves people and counting;
// decisions need [Bus.Next].
func (b *Bus) Page(ctx context.Context, stream, subject string, from uint64, n int) ([]Stored, error) {
	if subject == "" {
		subject = ">"
	}
	var out []Stored
	for len(out) < n {
		got, more, err := b.batch(ctx, stream, subject, max(from, 1), min(n-len(out), pageAtOnce))
		if err != nil {
			return nil, fmt.Errorf("read %s: page of %s from %d: %w", stream, subject, from, err)
		}
		out = append(out, got...)
		if !more || len(got) == 0 {
			break
		}
		from = got[len(got)-1].Sequence + 1
	}
	return out, nil
}

// Delete removes one message; [ErrNotFound] if the stream does not hold it. Its bytes on
// the disk are not overwritten.
func (b *Bus) Delete(ctx context.Context, stream string, seq uint64) error {
	req := struct {
		Sequence uint64 `json:"seq"`
		NoErase  bool   `json:"no_erase"`
	}{seq, true}
	if err := (protocol{b.nc}).api(ctx, "STREAM.MSG.DELETE."+stream, req, &apiAnswer{}); err != nil {
		return fmt.Errorf("delete message %d of %s: %w", seq, stream, err)
	}
	return nil
}

// Usage is how full a stream is.
type Usage struct {
	Messages, Bytes uint64
	MaxBytes        int64         // -1: no limit
	MaxAge          time.Duration // 0: no limit
	First, Last     uint64        // sequences; Last never falls
}

// Usage asks the server how full a stream is.
func (b *Bus) Usage(ctx context.Context, stream string) (Usage, error) {
	i, err := b.streamInfo(ctx, stream)
	if err != nil {
		return Usage{}, fmt.Errorf("usage of %s: %w", stream, classify(err))
	}
	return Usage{
		Messages: i.State.Msgs,
		Bytes:    i.State.Bytes,
		MaxBytes: i.Config.MaxBytes,
		MaxAge:   i.Config.MaxAge,
		First:    i.State.FirstSeq,
		Last:     i.State.LastSeq,
	}, nil
}

// one reads one message: directly from a single server, else from the leader. A replica
// that lags behind would miss a confirmed message.
func (b *Bus) one(ctx context.Context, stream string, req get) (s Stored, err error) {
	err = b.exchange(ctx, requestWait, func(ctx context.Context) (err error) {
		if b.replicas == 1 {
			if s, err = (protocol{b.nc}).direct(ctx, stream, req); !errors.Is(err, errNotDirect) {
				return err
			}
		}
		s, err = (protocol{b.nc}).leader(ctx, stream, req)
		return err
	})
	return s, err
}

// batch reads up to n messages in one exchange. more is true if more are stored.
func (b *Bus) batch(ctx context.Context, stream, subject string, from uint64, n int) (out []Stored, more bool, err error) {
	err = b.exchange(ctx, requestWait, func(ctx context.Context) (err error) {
		out, more, err = (protocol{b.nc}).directBatch(ctx, stream, get{Next: subject, Sequence: from, Batch: n, MaxBytes: pageBytes})
		return err
	})
	if !errors.Is(err, errNotDirect) {
		return out, more, err
	}
	for len(out) < n {
		s, err := b.one(ctx, stream, get{Next: subject, Sequence: from})
		if errors.Is(err, ErrNotFound) {
			return out, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		out, from = append(out, s), s.Sequence+1
	}
	return out, true, nil
}

// Headers that a direct read adds to those of the message.
const (
	headStream   = "Nats-Stream"
	headSubject  = "Nats-Subject"
	headSequence = "Nats-Sequence"
	headTime     = "Nats-Time-Stamp"
	headPending  = "Nats-Num-Pending"
	headPrevious = "Nats-Last-Sequence"
)

// storedOf reads a message out of the answer to a direct read.
func storedOf(m *nats.Msg) (Stored, error) {
	h := Header(m.Header)
	seq, err := strconv.ParseUint(h.Get(headSequence), 10, 64)
	if err != nil {
		return Stored{}, fmt.Errorf("answer without a sequence: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, h.Get(headTime))
	if err != nil {
		return Stored{}, fmt.Errorf("answer without a time: %w", err)
	}
	s := Stored{Stream: h.Get(headStream), Subject: h.Get(headSubject), Sequence: seq, Time: at, Data: m.Data}
	for _, name := range []string{headStream, headSubject, headSequence, headTime, headPending, headPrevious} {
		delete(h, name)
	}
	s.Header = h
	return s, nil
}
