package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/operate"
)

// ends follows the outcome events as any other service may, and counts how the
// callbacks have ended.
type ends struct {
	bus   *bus.Bus
	acts  *operate.Acts
	cons  *bus.Consumer
	came  chan string // outcome of each
	count map[string]int
	total int
}

// patience is how long the story waits for a callback's end.
const patience = 30 * time.Second

func listen(ctx context.Context, cfg *config.Config) (*ends, error) {
	e := cfg.NATS.Embedded
	conn, err := bus.Connect(ctx, bus.Options{
		URL: fmt.Sprintf("nats://127.0.0.1:%d", e.Port), Name: "sandbox", TokenFile: e.TokenFile,
	})
	if err != nil {
		return nil, err
	}
	acts := operate.New(operate.Options{Bus: conn, Tenants: []operate.Tenant{{Name: "acme", Mapping: cfg.Tenants[0].Mapping}}})
	s := &ends{bus: conn, acts: acts, came: make(chan string, 256), count: map[string]int{}}
	s.cons, err = conn.Consume(ctx, bus.ConsumerConfig{
		Stream: "EVENTS", Name: "sandbox-" + rand.Text(), Filters: []string{"gongdan.acme.event.kingdee.>"},
	}, func(m *bus.Delivery) {
		ev, err := events.Decode(m.Header.Get("Content-Type"), m.Data)
		if err != nil {
			s.came <- "unreadable"
			return
		}
		s.came <- ev.Type()
		_ = m.Ack() // a second delivery would only be counted twice, and fail the story
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return s, nil
}

// wait returns when n callbacks have ended since the beginning.
func (s *ends) wait(ctx context.Context, n int) error {
	t := time.NewTimer(patience)
	defer t.Stop()
	for s.total < n {
		select {
		case outcome := <-s.came:
			s.count[outcome]++
			s.total++
		case <-t.C:
			return fmt.Errorf("%w: %d of %d callbacks have ended after %s", ErrUnexpected, s.total, n, patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// letters are the open dead letters.
func (s *ends) letters(ctx context.Context) ([]deadletter.Open, error) {
	list, _, err := s.acts.Letters(ctx, deadletter.Filter{}, 0, 100)
	return list, err
}

func (s *ends) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	// The store goes with the sandbox, so nothing is left behind.
	_ = s.cons.Stop(ctx)
	_ = s.bus.Close(ctx)
}
