// Package memory is the part of JetStream that the dispatcher uses, in memory:
// streams with message ids, durable consumers, buckets with fences, and requests. It is
// for simulations on a fake clock, where thousands of histories must be cheap. It
// writes nothing to disk, has no replicas and no size limits.
//
// One suite of tests, in this package, runs the same cases against it and against a
// real server: only behaviour with a case there may be relied on. Only tests use it.
package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
)

// window is the time for which a stream remembers message ids.
const window = time.Hour

// maxPayload is the same as the embedded server's.
const maxPayload = 8 << 20

// Server holds streams and buckets for any number of clients.
type Server struct {
	mu         sync.Mutex
	streams    map[string]*stream
	buckets    map[string]*Bucket
	responders map[string][]*responder
	lives      int // that were given to streams and buckets
}

// New returns a server with the bridge's streams and buckets, all empty.
func New() *Server {
	s := &Server{streams: map[string]*stream{}, buckets: map[string]*Bucket{}, responders: map[string][]*responder{}}
	for _, x := range bus.Streams() {
		s.streams[x.Name] = s.newStream(x)
	}
	for _, x := range bus.Buckets() {
		s.lives++
		s.buckets[x.Name] = newBucket(x.Name, fmt.Sprint("life ", s.lives))
	}
	return s
}

// Bucket returns a bucket by its name, as [bus.Bus.Bucket] does.
func (s *Server) Bucket(name string) *Bucket { return s.buckets[name] }

// stream is one stream; its messages are in the order of their sequences, and a
// deleted one has no subject.
type stream struct {
	bus.Stream
	life      string
	made      time.Time
	messages  []bus.Stored
	ids       map[string]recent
	consumers map[string]*durable
}

type recent struct {
	sequence uint64
	at       time.Time
}

func (s *Server) stream(name string) (*stream, error) {
	if x := s.streams[name]; x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("stream %s: %w", name, bus.ErrUnprovisioned)
}

// route returns the stream that takes a subject.
func (s *Server) route(subject string) (*stream, error) {
	for _, x := range s.streams {
		if slices.ContainsFunc(x.Subjects, func(f string) bool { return fits(f, subject) }) {
			return x, nil
		}
	}
	return nil, errors.New("no stream takes this subject")
}

// Publish stores a message unless one with its id was stored within the last hour.
func (s *Server) Publish(ctx context.Context, m bus.Message) (bus.Ack, error) {
	if err := ctx.Err(); err != nil {
		return bus.Ack{}, fmt.Errorf("publish %s: %w", m.Subject, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.route(m.Subject)
	if err != nil {
		return bus.Ack{}, fmt.Errorf("publish %s: %w", m.Subject, err)
	}
	now := time.Now()
	if r, ok := x.ids[m.ID]; ok && now.Sub(r.at) < window && (x.Name == bus.Dead || x.at(r.sequence) != nil) {
		return bus.Ack{Stream: x.Name, Sequence: r.sequence, Duplicate: true}, nil
	}
	h := bus.Header{}
	maps.Copy(h, m.Header)
	if m.ContentType != "" {
		h["Content-Type"] = []string{m.ContentType}
	}
	seq := uint64(len(x.messages) + 1)
	if m.ID != "" {
		h["Nats-Msg-Id"] = []string{m.ID}
		x.ids[m.ID] = recent{seq, now}
	}
	x.messages = append(x.messages, bus.Stored{
		Stream: x.Name, Subject: m.Subject, Sequence: seq, Time: now, Header: h, Data: slices.Clone(m.Data),
	})
	for _, c := range x.consumers {
		c.push()
	}
	return bus.Ack{Stream: x.Name, Sequence: seq}, nil
}

// Get returns the message with a sequence.
func (s *Server) Get(_ context.Context, name string, sequence uint64) (bus.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return bus.Stored{}, err
	}
	if m := x.at(sequence); m != nil {
		return given(*m), nil
	}
	return bus.Stored{}, fmt.Errorf("read %s: message %d: %w", name, sequence, bus.ErrNotFound)
}

// Next returns the first message of a subject from sequence from on.
func (s *Server) Next(_ context.Context, name, subject string, from uint64) (bus.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return bus.Stored{}, err
	}
	if m := x.next([]string{subject}, from); m != nil {
		return given(*m), nil
	}
	return bus.Stored{}, fmt.Errorf("read %s: next of %s from %d: %w", name, subject, from, bus.ErrNotFound)
}

// Page returns up to n messages of a subject from a sequence on.
func (s *Server) Page(_ context.Context, name, subject string, from uint64, n int) ([]bus.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return nil, err
	}
	var filters []string
	if subject != "" {
		filters = []string{subject}
	}
	var out []bus.Stored
	for len(out) < n {
		m := x.next(filters, from)
		if m == nil {
			break
		}
		out, from = append(out, given(*m)), m.Sequence+1
	}
	return out, nil
}

// Delete removes one message.
func (s *Server) Delete(_ context.Context, name string, sequence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return err
	}
	m := x.at(sequence)
	if m == nil {
		return fmt.Errorf("delete message %d of %s: %w", sequence, name, bus.ErrNotFound)
	}
	*m = bus.Stored{Time: m.Time} // the newest tells its time also when it is gone
	return nil
}

// Usage returns a stream's usage, without sizes.
func (s *Server) Usage(_ context.Context, name string) (bus.Usage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return bus.Usage{}, err
	}
	u := bus.Usage{MaxBytes: x.MaxBytes, MaxAge: x.MaxAge, First: 1, Last: uint64(len(x.messages))}
	if m := x.next(nil, 1); m != nil {
		u.First = m.Sequence
	}
	for _, m := range x.messages {
		if m.Subject != "" {
			u.Messages++
		}
	}
	return u, nil
}

// MaxPayload is the size of the largest message, in bytes.
func (s *Server) MaxPayload() int64 { return maxPayload }

func (x *stream) at(sequence uint64) *bus.Stored {
	if sequence < 1 || sequence > uint64(len(x.messages)) || x.messages[sequence-1].Subject == "" {
		return nil
	}
	return &x.messages[sequence-1]
}

// next returns the first message that matches a filter (no filters: any message) from a
// sequence on.
func (x *stream) next(filters []string, from uint64) *bus.Stored {
	for i := max(from, 1) - 1; i < uint64(len(x.messages)); i++ {
		m := &x.messages[i]
		if m.Subject == "" {
			continue
		}
		if len(filters) == 0 || slices.ContainsFunc(filters, func(f string) bool { return fits(f, m.Subject) }) {
			return m
		}
	}
	return nil
}

// given returns a copy of a message whose headers the reader may change.
func given(m bus.Stored) bus.Stored {
	m.Header = maps.Clone(m.Header)
	return m
}

// fits matches a subject against a filter with * and >.
func fits(filter, subject string) bool {
	for {
		f, filters, more := strings.Cut(filter, ".")
		if f == ">" {
			return subject != ""
		}
		t, tokens, rest := strings.Cut(subject, ".")
		if f != "*" && f != t || more != rest {
			return false
		}
		if !more {
			return true
		}
		filter, subject = filters, tokens
	}
}
