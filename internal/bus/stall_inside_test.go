package bus

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestLooks: messages that wait are a stall only if nothing that is known keeps
// them back, twice in a row.
func TestLooks(t *testing.T) {
	type seen struct {
		busy           bool
		taken          uint64
		waiting, going int
		err            error
	}
	idle := seen{waiting: 7}
	for _, c := range []struct {
		name  string
		looks []seen
		want  error
	}{
		{"nothing waits", []seen{{}, {}, {}}, nil},
		{"one look", []seen{idle}, nil},
		{"two looks", []seen{idle, idle}, ErrStalled},
		{"one comes in between", []seen{idle, {waiting: 6, taken: 1}, {waiting: 6, taken: 1}}, nil},
		{"a message is in hand", []seen{idle, {waiting: 7, busy: true}, idle}, nil},
		{"enough are unsettled", []seen{{waiting: 7, going: 3}, {waiting: 7, going: 3}, {waiting: 7, going: 3}}, nil},
		{"nobody answers", []seen{{err: ErrUnreachable}, {err: ErrUnreachable}, {err: ErrUnreachable}}, nil},
		{"it is gone", []seen{{err: ErrNotFound}}, ErrConsumerGone},
		{"its stream is gone", []seen{{err: ErrUnprovisioned}}, ErrConsumerGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			var now seen
			k := &Consumer{
				log: slog.New(slog.DiscardHandler), cc: &pulls{}, handling: make(chan struct{}, 1),
				stopped: make(chan struct{}), errs: make(chan error, 1),
				info: func(context.Context) (*jetstream.ConsumerInfo, error) {
					return &jetstream.ConsumerInfo{
						NumPending: uint64(now.waiting), NumAckPending: now.going,
						Config: jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 3},
					}, now.err
				},
			}
			for _, now = range c.looks {
				k.taken.Store(now.taken)
				if now.busy {
					k.handling <- struct{}{}
				}
				k.check()
				if now.busy {
					<-k.handling
				}
			}
			var have error
			select {
			case have = <-k.Err():
			default:
			}
			if !errors.Is(have, c.want) || (c.want == nil) != (have == nil) {
				t.Errorf("reported %v, want %v", have, c.want)
			}
		})
	}
}

// first is a consumer's first message.
type first struct{ jetstream.Msg }

func (first) Subject() string      { return "gongdan.acme.event" }
func (first) Headers() nats.Header { return nil }
func (first) Data() []byte         { return nil }
func (first) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Stream: Callbacks, NumDelivered: 1, Sequence: jetstream.SequencePair{Consumer: 1, Stream: 7}}, nil
}

// TestFirstMessage: it is handed out only if no stranger's consumer of that name
// delivered it, which may have passed others over.
func TestFirstMessage(t *testing.T) {
	made := time.Unix(100, 0)
	for _, c := range []struct {
		name    string
		created time.Time
		info    error
		want    error
	}{
		{"ours", made, nil, nil},
		{"another one's", made.Add(time.Nanosecond), nil, ErrStalled},
		{"nobody can tell", made, ErrUnreachable, ErrStalled},
		{"a deleted one's", made, ErrNotFound, ErrConsumerGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			handled := 0
			k := &Consumer{
				log: slog.New(slog.DiscardHandler), cc: &pulls{}, handling: make(chan struct{}, 1), created: made,
				stopped: make(chan struct{}), errs: make(chan error, 1), handle: func(*Delivery) { handled++ },
				info: func(context.Context) (*jetstream.ConsumerInfo, error) {
					return &jetstream.ConsumerInfo{Created: c.created, Config: jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy}}, c.info
				},
			}
			k.deliver(first{})
			var have error
			select {
			case have = <-k.Err():
			default:
			}
			if !errors.Is(have, c.want) || (c.want == nil) != (have == nil) {
				t.Errorf("reported %v, want %v", have, c.want)
			}
			if (handled == 1) != (c.want == nil) {
				t.Errorf("handed out %d times", handled)
			}
		})
	}
}
