//go:build unix

package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// Heard is one message that a subscriber got. Fault says why it is no CloudEvent.
type Heard struct {
	bus.Stored
	Event events.Event
	Fault error
}

// Subscriber is another service on the bus: it has a connection of its own and
// hears every event of every tenant, from the first one on.
type Subscriber struct {
	bus       *bus.Bus
	consumers []*bus.Consumer

	mu      sync.Mutex
	heard   []Heard
	known   map[string]bool
	changed chan struct{} // closed and replaced with every message
}

// Connect is a connection to the bus, which must be up; it outlives the server's
// deaths, and leaves the making of streams to the programs.
func (i *Installation) Connect(ctx context.Context) (*bus.Bus, error) {
	return bus.Connect(ctx, bus.Options{URL: i.NATSURL(), Name: "another service", TokenFile: i.Path("nats.token")})
}

// Subscribe connects to the bus, which must be up and provisioned. ctx bounds
// only this; [Subscriber.Close] ends it. A server that goes away and comes back
// loses nothing.
func (i *Installation) Subscribe(ctx context.Context) (*Subscriber, error) {
	s := &Subscriber{known: map[string]bool{}, changed: make(chan struct{})}
	var err error
	if s.bus, err = i.Connect(ctx); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	name := "another-service-" + rand.Text()
	for stream, filters := range map[string][]string{
		bus.Callbacks: {"gongdan.*.event.>"}, bus.Events: {"gongdan.*.event.>"},
	} {
		c, err := s.bus.Consume(ctx, bus.ConsumerConfig{Stream: stream, Name: name, Filters: filters}, s.hear)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("subscribe: %w", err), s.Close(ctx))
		}
		s.consumers = append(s.consumers, c)
	}
	return s, nil
}

func (s *Subscriber) hear(m *bus.Delivery) {
	h := Heard{Stored: m.Stored}
	h.Event, h.Fault = events.Decode(m.Header.Get("Content-Type"), m.Data)
	_ = m.Ack() // what comes again is known by its sequence
	s.mu.Lock()
	defer s.mu.Unlock()
	place := fmt.Sprint(m.Stream, m.Sequence)
	if s.known[place] {
		return
	}
	s.known[place] = true
	s.heard = append(s.heard, h)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Bus is the subscriber's connection.
func (s *Subscriber) Bus() *bus.Bus { return s.bus }

// Heard is everything that was heard so far, each message once.
func (s *Subscriber) Heard() []Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Wait waits until what was heard is enough.
func (s *Subscriber) Wait(ctx context.Context, enough func([]Heard) bool) error {
	for {
		s.mu.Lock()
		heard, changed := slices.Clone(s.heard), s.changed
		s.mu.Unlock()
		if enough(heard) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for events: %d heard so far: %w", len(heard), context.Cause(ctx))
		}
	}
}

// Ended waits until each of the callbacks, named by their message ids, has ended
// at least once.
func (s *Subscriber) Ended(ctx context.Context, ids ...string) error {
	var open []string
	err := s.Wait(ctx, func(heard []Heard) bool {
		open = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return len(Outcomes(heard, id)) > 0 })
		return len(open) == 0
	})
	if err != nil {
		return fmt.Errorf("callbacks %s have not ended: %w", strings.Join(open, ", "), err)
	}
	return nil
}

// Outcomes are how a callback has ended, in the order heard: more than once if it
// was replayed.
func Outcomes(heard []Heard, id string) []events.Outcome {
	const before, behind = "com.kingdee.handle_order.", ".v1"
	var out []events.Outcome
	for _, h := range heard {
		outcome, ok := strings.CutPrefix(h.Event.Type(), before)
		root, _, _ := strings.Cut(h.Event.ID(), "~")
		if of, _, keyed := events.SplitCallbackID(root); ok && keyed && of == id {
			out = append(out, events.Outcome(strings.TrimSuffix(outcome, behind)))
		}
	}
	return out
}

// Close ends the subscription.
func (s *Subscriber) Close(ctx context.Context) error {
	var all error
	for _, c := range s.consumers {
		all = errors.Join(all, c.Stop(ctx))
	}
	return errors.Join(all, s.bus.Close(ctx))
}
