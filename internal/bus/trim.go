package bus

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Follower is a consumer of a stream, ours or another service's.
type Follower struct {
	Name     string
	Filters  []string // subjects that it reads; none: the whole stream
	AckFloor uint64   // everything that it reads is settled up to here
}

// Followers are all consumers of a stream, durable or not, as the server has
// them now.
func (b *Bus) Followers(ctx context.Context, stream string) ([]Follower, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", stream, classify(err))
	}
	list := s.ListConsumers(ctx)
	var out []Follower
	for i := range list.Info() {
		out = append(out, Follower{Name: i.Name, Filters: filters(i.Config), AckFloor: i.AckFloor.Stream})
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", stream, classify(err))
	}
	return out, nil
}

func filters(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// Unsettled is the first message above after on any of the subjects (none: every
// subject); false if there is none. A consumer's ack floor stands at the last
// message that it read, so this, and not the floor, is what it still needs: where
// little comes the floor lies far behind.
func (b *Bus) Unsettled(ctx context.Context, stream string, subjects []string, after uint64) (uint64, bool, error) {
	if len(subjects) == 0 {
		subjects = []string{">"}
	}
	var first uint64
	for _, subject := range subjects {
		m, err := b.Next(ctx, stream, subject, after+1)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, false, err
		}
		if first == 0 || m.Sequence < first {
			first = m.Sequence
		}
	}
	return first, first > 0, nil
}

// Trim removes every message below a sequence, for ever, and says how many those
// were. What is needed of them is the caller's to know. Below 2 it does nothing.
func (b *Bus) Trim(ctx context.Context, stream string, below uint64) (uint64, error) {
	if below < 2 {
		return 0, nil // a purge up to nothing would be a purge of all
	}
	req := struct {
		Sequence uint64 `json:"seq"`
	}{below}
	var a struct {
		apiAnswer
		Purged uint64 `json:"purged"`
	}
	if err := b.api(ctx, "STREAM.PURGE."+stream, req, &a); err != nil {
		return 0, fmt.Errorf("trim %s below %d: %w", stream, below, err)
	}
	return a.Purged, nil
}

// SequenceAt is the first sequence whose message was stored at t or later; one
// behind the last if there is none.
func (b *Bus) SequenceAt(ctx context.Context, stream string, t time.Time) (uint64, error) {
	u, err := b.Usage(ctx, stream)
	if err != nil {
		return 0, err
	}
	first, past := max(u.First, 1), u.Last+1
	if past <= first {
		return past, nil
	}
	var failed error
	n := sort.Search(int(past-first), func(i int) bool {
		if failed != nil {
			return true
		}
		m, err := b.Next(ctx, stream, ">", first+uint64(i))
		if errors.Is(err, ErrNotFound) {
			return true
		}
		failed = err
		return err != nil || !m.Time.Before(t)
	})
	if failed != nil {
		return 0, failed
	}
	return first + uint64(n), nil
}
