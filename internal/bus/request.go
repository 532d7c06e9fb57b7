package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// serveAtOnce bounds the requests of one subject that are answered at a time.
const serveAtOnce = 16

// Request asks whoever serves subject and waits for the answer, which no stream
// stores, until ctx ends (five seconds, if it has no deadline). [ErrNoResponders]
// when nobody serves it.
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

// Serve answers requests on subject, several at a time, until stop is called; from
// its return on requests arrive. stop takes no more, cancels the contexts of those
// that are here, and waits until they are answered. It may be called twice, but
// not from h.
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
	// The client library says nothing of when the last callback has returned, so
	// the subscription's own end is waited for before the handlers are.
	ended := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(ended) })
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			// Drained, what is on its way here is still answered. Without a
			// connection nothing is, and draining would wait for one.
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
