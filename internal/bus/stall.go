package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trouble judges what the client library reports of the pulls.
func (k *Consumer) trouble(err error) {
	select {
	case <-k.stopped:
		return
	default:
	}
	switch {
	case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrBadRequest):
		k.end(fmt.Errorf("%w: %w", ErrConsumerGone, err))
	case errors.Is(err, jetstream.ErrConnectionClosed):
		k.end(fmt.Errorf("%w: %w", ErrStalled, err))
	case errors.Is(err, jetstream.ErrNoHeartbeat):
		k.missed(time.Now(), err)
	default:
		k.log.Debug("pull ended", "stream", k.stream, "consumer", k.name, "error", err)
	}
}

// missed is called when nothing, not even a heartbeat, came for two heartbeats.
// The library has pulled again by then: the first time may be a blip, a second
// one right after it is not.
func (k *Consumer) missed(now time.Time, cause error) {
	ctx, cancel := context.WithTimeout(context.Background(), k.heartbeat)
	defer cancel()
	if _, err := k.info(ctx); vanished(err) {
		k.end(fmt.Errorf("%w: %w", ErrConsumerGone, err))
		return
	}
	k.mu.Lock()
	again := now.Sub(k.lastMiss) < 5*k.heartbeat
	k.lastMiss = now
	k.mu.Unlock()
	if again {
		k.end(fmt.Errorf("%w: %w", ErrStalled, cause))
		return
	}
	k.log.Warn("no heartbeat from the server", "stream", k.stream, "consumer", k.name)
}

func vanished(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnprovisioned) }

// watch checks at the server's side of the consumer. A server that pauses it, or
// delivers something else than was asked for, still sends heartbeats.
func (k *Consumer) monitor(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-k.stopped:
			return
		case <-tick.C:
			k.check()
		}
	}
}

// idleness is what the last look saw.
type idleness struct {
	taken  uint64
	checks int // in a row at which messages waited and none came
}

// look ends the consumer if the server's is gone, is not as it was made, or has
// messages that it does not deliver.
func (k *Consumer) check() {
	ctx, cancel := context.WithTimeout(context.Background(), requestWait)
	defer cancel()
	busy, taken := len(k.handling) > 0, k.taken.Load()
	i, err := k.info(ctx)
	switch {
	case vanished(err):
		k.end(fmt.Errorf("%w: %w", ErrConsumerGone, err))
		return
	case err != nil:
		return // of a server that does not answer the heartbeats tell
	}
	if why := k.difference(i); why != "" {
		k.end(fmt.Errorf("%w: %s", ErrStalled, why))
		return
	}
	k.floor.Store(i.AckFloor.Stream)
	k.mu.Lock()
	if busy || taken != k.idle.taken || i.NumPending == 0 || i.NumAckPending >= i.Config.MaxAckPending {
		k.idle = idleness{taken: taken}
	} else {
		k.idle.checks++
	}
	checks := k.idle.checks
	k.mu.Unlock()
	if checks >= 2 {
		k.end(fmt.Errorf("%w: %d messages wait and none is delivered", ErrStalled, i.NumPending))
	}
}

// ours is asked before the first message. One that a stranger's consumer delivers,
// made by the same name after ours and before it delivered anything, counts as its
// first too, and what it passed over would not be missed.
func (k *Consumer) verified() bool {
	ctx, cancel := context.WithTimeout(context.Background(), requestWait)
	defer cancel()
	i, err := k.info(ctx)
	switch {
	case vanished(err):
		err = fmt.Errorf("%w: %w", ErrConsumerGone, err)
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrStalled, err)
	default:
		why := k.difference(i)
		if why == "" {
			return true
		}
		err = fmt.Errorf("%w: %s", ErrStalled, why)
	}
	k.end(err)
	return false
}

// strange says in what the server's consumer is not the one that was made.
func (k *Consumer) difference(i *jetstream.ConsumerInfo) string {
	have := i.Config.FilterSubjects
	if one := i.Config.FilterSubject; one != "" {
		have = append(have, one)
	}
	switch {
	case !i.Created.Equal(k.created):
		return "another one was made by its name" // and may have passed messages over
	case i.Paused:
		return "it is paused on the server"
	case i.Config.AckPolicy != jetstream.AckExplicitPolicy:
		return "its acknowledgements were changed on the server"
	case !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(k.filters))):
		return "its subjects were changed on the server"
	}
	return ""
}

// Floor is a sequence of the stream up to which everything was settled when the
// consumer was last seen to be as it was made; 0 if it never was.
func (k *Consumer) Floor() uint64 { return k.floor.Load() }
