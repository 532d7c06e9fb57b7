package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trouble judges an error that the client library reports of a pull.
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

// missed is called when neither message nor heartbeat came for the time of two
// heartbeats. The library has pulled again by then. One miss may be a delay; a second one
// right after it ends the consumer.
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

// monitor checks the consumer on the server at intervals. A server that pauses it, or
// whose consumer was changed, still sends heartbeats.
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

// idleness is the state of the last check.
type idleness struct {
	taken  uint64
	checks int // in a row at which messages waited and none was delivered
}

// check ends the consumer if it is gone on the server, differs from the one that was
// created, or does not deliver the messages that wait.
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
		return // the heartbeats tell of a server that does not answer
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

// verified is called before the first message. It ends the consumer and returns false
// unless the server's consumer is the one that was created: another one, created under
// the same name before the first delivery, counts its deliveries from 1 too, and the
// messages that it passed over would not be noticed.
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

// difference returns how the server's consumer differs from the one that was created,
// "" if it does not.
func (k *Consumer) difference(i *jetstream.ConsumerInfo) string {
	have := i.Config.FilterSubjects
	if one := i.Config.FilterSubject; one != "" {
		have = append(have, one)
	}
	switch {
	case !i.Created.Equal(k.created):
		return "another one was created under its name" // and may have passed messages over
	case i.Paused:
		return "it is paused on the server"
	case i.Config.AckPolicy != jetstream.AckExplicitPolicy:
		return "its acknowledgements were changed on the server"
	case !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(k.filters))):
		return "its subjects were changed on the server"
	}
	return ""
}

// Floor is the sequence of the stream up to which all messages were settled at the last
// check that found the consumer unchanged; 0 before the first.
func (k *Consumer) Floor() uint64 { return k.floor.Load() }
