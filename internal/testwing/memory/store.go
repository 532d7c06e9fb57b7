package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
)

// Identity returns the identity of a stream or bucket, as [bus.Bus.Identity] does.
func (s *Server) Identity(_ context.Context, name string) (bus.Identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := bus.Identity{Now: time.Now()}
	if k := s.buckets[name]; k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		id.Life, id.Created, id.Last, id.LastTime = k.life, k.made, k.revision, k.at
		return id, nil
	}
	x := s.streams[name]
	if x == nil {
		id.Missing = true
		return id, nil
	}
	id.Life, id.Created, id.MaxAge, id.Last = x.life, x.made, x.MaxAge, uint64(len(x.messages))
	id.First = id.Last + 1
	if m := x.next(nil, 1); m != nil {
		id.First = m.Sequence
	}
	for _, m := range x.messages[min(id.First, id.Last+1)-1:] {
		if m.Subject == "" {
			id.Deleted++
		}
	}
	if n := len(x.messages); n > 0 {
		id.LastTime = x.messages[n-1].Time
	}
	return id, nil
}

// Mend creates the missing streams and buckets.
func (s *Server) Mend(context.Context) (missing []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range bus.Streams() {
		if s.streams[x.Name] == nil {
			s.streams[x.Name] = s.newStream(x)
			missing = append(missing, x.Name)
		}
	}
	return missing, nil
}

// Last returns the newest message of a subject.
func (s *Server) Last(_ context.Context, name, subject string) (bus.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.stream(name)
	if err != nil {
		return bus.Stored{}, err
	}
	for _, m := range slices.Backward(x.messages) {
		if m.Subject != "" && fits(subject, m.Subject) {
			return given(m), nil
		}
	}
	return bus.Stored{}, fmt.Errorf("read %s: last of %s: %w", name, subject, bus.ErrNotFound)
}

func (s *Server) newStream(x bus.Stream) *stream {
	s.lives++
	return &stream{
		Stream: x, life: fmt.Sprint("life ", s.lives), made: time.Now(), ids: map[string]recent{}, consumers: map[string]*durable{},
	}
}

// Copy is the content of a stream or bucket at one moment.
type Copy struct {
	life     string
	made     time.Time
	messages []bus.Stored
	revision uint64
	at       time.Time
	keys     map[string]value
}

// Copy copies a stream or bucket.
func (s *Server) Copy(name string) Copy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.buckets[name]; k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		return Copy{life: k.life, made: k.made, revision: k.revision, at: k.at, keys: maps.Clone(k.keys)}
	}
	x := s.streams[name]
	return Copy{life: x.life, made: x.made, messages: slices.Clone(x.messages)}
}

// Restore replaces a stream or bucket by a copy, as an operator may who copies the directory
// of a stopped server: consumers end.
func (s *Server) Restore(name string, c Copy) {
	s.end(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.buckets[name]; k != nil {
		k.restore(c)
		return
	}
	x := s.newStream(s.streams[name].Stream)
	x.life, x.made, x.messages = c.life, c.made, slices.Clone(c.messages)
	for _, m := range x.messages {
		if id := m.ID(); id != "" {
			x.ids[id] = recent{m.Sequence, m.Time}
		}
	}
	s.streams[name] = x
}

// Remove removes a stream or bucket. A bucket is created again at once, empty.
func (s *Server) Remove(name string) {
	s.end(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.buckets[name]; k != nil {
		s.lives++
		k.restore(Copy{life: fmt.Sprint("life ", s.lives), made: time.Now()})
		return
	}
	delete(s.streams, name)
}

// Cut removes a stream's newest n messages, as a truncated file does. Its consumers stay, with
// a progress behind the stream's end.
func (s *Server) Cut(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.streams[name]
	x.messages = slices.Clip(x.messages[:max(0, len(x.messages)-n)])
	maps.DeleteFunc(x.ids, func(_ string, r recent) bool { return r.sequence > uint64(len(x.messages)) })
}

// end ends the consumers of a stream.
func (s *Server) end(name string) {
	list, _ := s.Followers(context.Background(), name) // a bucket has none
	for _, f := range list {
		_ = s.DeleteConsumer(context.Background(), name, f.Name) // gone already
	}
}

func (k *Bucket) restore(c Copy) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.life, k.made, k.revision, k.at, k.keys = c.life, c.made, c.revision, c.at, maps.Clone(c.keys)
	if k.keys == nil {
		k.keys = map[string]value{}
	}
}
