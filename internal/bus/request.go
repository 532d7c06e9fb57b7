package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// serveAtOnce bounds the concurrent requests of one subject.
const serveAtOnce = 16

// Request sends data to the program that serves subject and waits for the answer until
// ctx ends, or five seconds if it has no deadline. No stream stores request or answer.
// [ErrNoResponders] when no program serves the subject.
func (b *Bus) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = bounded(ctx)
		defer cancel()
	}
	reply, err := b.nc.RequestMsgWithContext(ctx, Message{Subject: subject, Data: data}.wire(ctx))
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("request %s: %w: %w", subject, ErrNoResponders, err)
	case err != nil:
		return nil, fmt.Errorf("request %s: %w", subject, classify(err))
	}
	return reply.Data, nil
}

// Serve answers requests on subject by h, several at a time, from its return until stop
// is called. stop takes no more requests, cancels the contexts of those in progress, and
// waits until they are answered. It may be called twice, but not from h.
func (b *Bus) Serve(subject string, h func(ctx context.Context, data []byte) []byte) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	slots := make(chan struct{}, serveAtOnce)
	sub, err := b.nc.Subscribe(subject, func(m *nats.Msg) {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			reply := h(propagator().Extract(ctx, carrier(m.Header)), m.Data)
			if err := m.Respond(reply); err != nil {
				b.log.Warn("reply not sent", "subject", subject, "error", err)
			}
		})
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("serve %s: %w", subject, classify(err))
	}
	// The client library does not tell when the last callback has returned. So stop
	// waits for the subscription's end before it waits for the handlers.
	ended := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(ended) })
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			// A drained subscription still answers the requests on their way.
			// Without a connection none are, and draining would wait for one.
			leave := sub.Unsubscribe
			if b.nc.IsConnected() {
				leave = sub.Drain
			}
			if err := leave(); err != nil {
				b.log.Debug("already unsubscribed", "subject", subject, "error", err)
			}
			<-ended
			running.Wait()
		})
	}
	if err := b.nc.FlushTimeout(requestWait); err != nil {
		stop()
		return nil, fmt.Errorf("serve %s: %w", subject, classify(err))
	}
	return stop, nil
}
