package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	scanBatch = 1000
	// scanQuiet is the silence after which the server is asked whether messages are
	// left: the rest may have been trimmed.
	scanQuiet = 2 * time.Second
)

// Scan calls visit for every message of a subject (wildcards allowed) from sequence from
// to sequence last, oldest first, without its data, until visit fails. It serves the
// counting of long streams: the cost of a page grows with the stream's length, the cost
// of a scan does not. It may miss messages that are stored after it began.
func (b *Bus) Scan(ctx context.Context, stream, subject string, from, last uint64, visit func(Stored) error) error {
	fail := func(err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("scan %s: %s from %d: %w", stream, subject, from, classify(err))
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	consumer, err := b.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
		HeadersOnly: true, InactiveThreshold: time.Minute,
		MaxResetAttempts: 1, // while the consumer tries again it answers nothing and cannot be stopped
	})
	if err != nil {
		return fail(err)
	}
	got, end, err := relay(consumer, jetstream.PullMaxMessages(scanBatch))
	if err != nil {
		return fail(err)
	}
	defer func() {
		end()
		b.forgetScan(stream, consumer)
	}()
	info, err := consumer.Info(ctx)
	if err != nil || info.NumPending == 0 && info.Delivered.Consumer == 0 {
		return fail(err)
	}
	at := uint64(0) // sequence of the last visited message
	quiet := time.NewTicker(scanQuiet)
	defer quiet.Stop()
	for {
		select {
		case d := <-got:
			if d.Sequence > last {
				return nil
			}
			at = d.Sequence
			if err := visit(d.Stored); err != nil {
				return err
			}
			if d.Pending == 0 || d.Sequence == last {
				return nil
			}
			quiet.Reset(scanQuiet)
		case <-quiet.C:
			info, err := consumer.Info(ctx)
			if err != nil || info.NumPending == 0 && (info.Delivered.Consumer == 0 || info.Delivered.Stream <= at) {
				return fail(err)
			}
		case <-ctx.Done():
			return fail(context.Cause(ctx))
		case <-b.closed:
			return fail(fmt.Errorf("%w: the connection was closed", ErrUnreachable))
		}
	}
}

// relay passes the deliveries of a consumer to a channel, until end is called.
func relay(c jetstream.Consumer, opts ...jetstream.PullConsumeOpt) (got <-chan *Delivery, end func(), err error) {
	deliveries, ended := make(chan *Delivery), make(chan struct{})
	cc, err := c.Consume(func(m jetstream.Msg) {
		d, err := delivered(m)
		if err != nil {
			return // the reply subject is not JetStream's: this is no message of the stream
		}
		select {
		case deliveries <- d:
		case <-ended:
		}
	}, opts...)
	if err != nil {
		return nil, nil, err
	}
	closed := cc.Closed()
	return deliveries, func() {
		close(ended)
		cc.Stop()
		<-closed
	}, nil
}

// forgetScan deletes the scan's consumer at once. Until the server removes it, it would
// keep trimming from the messages that it has not read.
func (b *Bus) forgetScan(stream string, c jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), requestWait)
	defer cancel()
	if i := c.CachedInfo(); i != nil {
		_ = b.js.DeleteConsumer(ctx, stream, i.Name) // after InactiveThreshold the server does it
	}
}
