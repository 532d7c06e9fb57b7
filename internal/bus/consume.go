package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ConsumerConfig describes a durable pull consumer.
type ConsumerConfig struct {
	Stream  string
	Name    string   // durable
	Filters []string // subjects; none: the whole stream
	// StartSequence is the first message of a new consumer; 0: all. An existing
	// consumer keeps its place.
	StartSequence uint64
	AckWait       time.Duration // until an unsettled message is redelivered; 0: 30 s
	MaxAckPending int           // delivered and not settled; 0: 256
	Batch         int           // asked for in advance, at most 256; 0: 16
	Heartbeat     time.Duration // of an idle server; two missed ones in a row end the consumer. 0: 5 s
	CheckEvery    time.Duration // between checks; two in a row without progress end the consumer. 0: 30 s
}

const (
	defaultAckWait       = 30 * time.Second
	defaultMaxAckPending = 256
	defaultBatch         = 16
	maxBatch             = 256
	defaultHeartbeat     = 5 * time.Second
	defaultCheckEvery    = 30 * time.Second
)

func (c ConsumerConfig) withDefaults() ConsumerConfig {
	if c.AckWait <= 0 {
		c.AckWait = defaultAckWait
	}
	if c.MaxAckPending <= 0 {
		c.MaxAckPending = defaultMaxAckPending
	}
	if c.Batch <= 0 {
		c.Batch = defaultBatch
	}
	c.Batch = min(c.Batch, maxBatch)
	if c.Heartbeat <= 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.CheckEvery <= 0 {
		c.CheckEvery = defaultCheckEvery
	}
	return c
}

// Consumer is a running consumer.
type Consumer struct {
	stream, name string
	heartbeat    time.Duration
	log          *slog.Logger
	handle       func(*Delivery)
	filters      []string
	created      time.Time // by the server's clock
	info         func(context.Context) (*jetstream.ConsumerInfo, error)
	cc           jetstream.ConsumeContext

	handling chan struct{} // held while handle runs
	stopped  chan struct{} // closed: nothing more is handled
	once     sync.Once
	errs     chan error

	taken atomic.Uint64 // messages given to handle
	floor atomic.Uint64 // at the last check

	mu       sync.Mutex
	lastMiss time.Time
	idle     idleness
}

// Consume creates the durable consumer, or continues an existing one, and calls handle
// for each message, one after the other, from one goroutine. A handle that blocks
// holds back the messages behind it. ctx bounds the creation only; [Consumer.Stop] ends
// the consumer.
func (b *Bus) Consume(ctx context.Context, c ConsumerConfig, handle func(*Delivery)) (*Consumer, error) {
	c = c.withDefaults()
	ctx, cancel := bounded(ctx)
	defer cancel()
	durable, err := b.durable(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("consume %s as %s: %w", c.Stream, c.Name, classify(err))
	}
	k := &Consumer{
		stream: c.Stream, name: c.Name, heartbeat: c.Heartbeat, filters: c.Filters, created: durable.CachedInfo().Created,
		log: b.log, handle: handle,
		info: func(ctx context.Context) (*jetstream.ConsumerInfo, error) {
			return b.consumerInfo(ctx, c.Stream, c.Name)
		},
		handling: make(chan struct{}, 1),
		stopped:  make(chan struct{}),
		errs:     make(chan error, 1),
	}
	// Consume and not Messages: the iterator's buffer holds as many entries as
	// messages were asked for. While the client is busy heartbeats push messages out
	// of it, and the server redelivers those out of order.
	started := make(chan struct{})
	cc, err := durable.Consume(k.deliver,
		jetstream.PullMaxMessages(c.Batch),
		jetstream.PullExpiry(6*c.Heartbeat),
		jetstream.PullHeartbeat(c.Heartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			<-started
			k.trouble(err)
		}))
	if err != nil {
		return nil, fmt.Errorf("consume %s as %s: %w", c.Stream, c.Name, classify(err))
	}
	k.cc = cc
	close(started)
	go k.monitor(c.CheckEvery)
	return k, nil
}

// durable creates the consumer. On an existing one it changes what can change.
func (b *Bus) durable(ctx context.Context, c ConsumerConfig) (jetstream.Consumer, error) {
	cfg := jetstream.ConsumerConfig{
		Durable:        c.Name,
		AckPolicy:      jetstream.AckExplicitPolicy,
		DeliverPolicy:  jetstream.DeliverAllPolicy,
		AckWait:        c.AckWait,
		MaxDeliver:     -1,
		MaxAckPending:  c.MaxAckPending,
		FilterSubjects: c.Filters,
	}
	if c.StartSequence > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, c.StartSequence
	}
	k, err := b.js.CreateConsumer(ctx, c.Stream, cfg)
	if !errors.Is(err, jetstream.ErrConsumerExists) {
		return k, err
	}
	there, err := b.js.Consumer(ctx, c.Stream, c.Name)
	if err != nil {
		return nil, err
	}
	have := there.CachedInfo().Config
	cfg.DeliverPolicy, cfg.OptStartSeq = have.DeliverPolicy, have.OptStartSeq
	return b.js.UpdateConsumer(ctx, c.Stream, cfg)
}

// Err yields at most one error, [ErrConsumerGone] or [ErrStalled]. After it the consumer
// handles nothing more, and the caller must create another one. The channel is closed
// when the consumer ends, by itself or by Stop. A lost connection is no error: the
// consumer continues when it is back.
func (k *Consumer) Err() <-chan error { return k.errs }

// Stop ends the consumer and waits, until ctx ends, for the message that is being
// handled. Fetched messages that were not handled stay unsettled and are redelivered. It
// must not be called from handle. It may be called twice.
func (k *Consumer) Stop(ctx context.Context) error {
	k.end(nil)
	select {
	case k.handling <- struct{}{}:
		<-k.handling
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop consumer %s of %s: its message is still being handled: %w", k.name, k.stream, context.Cause(ctx))
	}
}

// end stops the handling of messages and reports why; nil reports nothing.
func (k *Consumer) end(err error) {
	k.once.Do(func() {
		close(k.stopped)
		k.cc.Stop()
		if err != nil {
			k.errs <- fmt.Errorf("consumer %s of %s: %w", k.name, k.stream, err)
		}
		close(k.errs)
	})
}

func (k *Consumer) deliver(m jetstream.Msg) {
	k.handling <- struct{}{}
	defer func() { <-k.handling }()
	select {
	case <-k.stopped:
		return
	default:
	}
	d, err := delivered(m)
	if err != nil {
		// This happens only with a reply subject that is not JetStream's.
		k.log.Error("delivery not understood", "stream", k.stream, "consumer", k.name, "error", err)
		return
	}
	if k.taken.Load() == 0 && !k.verified() {
		return
	}
	k.taken.Add(1)
	k.handle(d)
}

// ConsumerInfo is a consumer's progress, in sequences of its stream.
type ConsumerInfo struct {
	AckFloor      uint64 // all messages up to here are settled
	Delivered     uint64 // the last delivered message
	NumPending    uint64 // messages not delivered yet
	NumAckPending int    // messages delivered and not settled
}

// ConsumerInfo asks the server; [ErrNotFound] if there is no such consumer.
func (b *Bus) ConsumerInfo(ctx context.Context, stream, name string) (ConsumerInfo, error) {
	i, err := b.consumerInfo(ctx, stream, name)
	if err != nil {
		return ConsumerInfo{}, err
	}
	return ConsumerInfo{
		AckFloor:      i.AckFloor.Stream,
		Delivered:     i.Delivered.Stream,
		NumPending:    i.NumPending,
		NumAckPending: i.NumAckPending,
	}, nil
}

func (b *Bus) consumerInfo(ctx context.Context, stream, name string) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	k, err := b.js.Consumer(ctx, stream, name)
	if err != nil {
		return nil, fmt.Errorf("consumer %s of %s: %w", name, stream, classify(err))
	}
	return k.CachedInfo(), nil
}

// DeleteConsumer removes a consumer. The program that runs it gets [ErrConsumerGone], and
// its acks have no effect. [ErrNotFound] if there is none.
func (b *Bus) DeleteConsumer(ctx context.Context, stream, name string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := b.js.DeleteConsumer(ctx, stream, name); err != nil {
		return fmt.Errorf("delete consumer %s of %s: %w", name, stream, classify(err))
	}
	return nil
}
