package bus

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Follower is a consumer of a stream, the bridge's own or another service's.
type Follower struct {
	Name     string
	Filters  []string // subjects that it reads; none: the whole stream
	AckFloor uint64   // it has settled all its messages up to here
}

// Followers returns all present consumers of a stream, durable or not.
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

// Unsettled returns the sequence of the first message above after on any of the subjects
// (none: every subject); false if there is none. It tells what a consumer still needs.
// The ack floor does not: it stands at the last message that the consumer read, far
// behind where its messages are rare.
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

// Trim removes every message below a sequence, for good, and returns their number. The
// caller must know that none of them is needed. Below 2 it does nothing.
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
	if err := (protocol{b.nc}).api(ctx, "STREAM.PURGE."+stream, req, &a); err != nil {
		return 0, fmt.Errorf("trim %s below %d: %w", stream, below, err)
	}
	return a.Purged, nil
}

// SequenceAt returns the first sequence whose message was stored at t or later; one
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
