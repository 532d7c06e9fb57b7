package dispatch

import (
	"context"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch/store"
	"gongdan-bridge/internal/ownership"
)

// Log is what the stages need of the streams.
type Log = store.Log

// Inbox brings work to an owner: its consumers' messages and operators' requests.
type Inbox interface {
	Consume(ctx context.Context, c bus.ConsumerConfig, handle func(*bus.Delivery)) (Consumer, error)
	ConsumerInfo(ctx context.Context, stream, name string) (bus.ConsumerInfo, error)
	DeleteConsumer(ctx context.Context, stream, name string) error
	Followers(ctx context.Context, stream string) ([]bus.Follower, error)
	Serve(subject string, answer func(ctx context.Context, data []byte) []byte) (stop func(), err error)
}

// Consumer is a running consumer, as [bus.Consumer] is one.
type Consumer interface {
	Err() <-chan error
	Floor() uint64
	Stop(ctx context.Context) error
}

// Records is what the stages need of the bucket STATE.
type Records interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Load(ctx context.Context, prefix string, each func(bus.Entry) error) error
	PutFenced(ctx context.Context, key string, value []byte, f bus.Fence, opts ...bus.Option) (uint64, error)
	DeleteFenced(ctx context.Context, key string, f bus.Fence) error
}

// Ports are what a dispatcher uses of the store.
type Ports struct {
	Log     Log
	Inbox   Inbox
	Records Records
	Claims  ownership.Store
	Store   StorePorts
}

// StorePorts are what tells whether the store belongs together.
type StorePorts = store.Ports

// portsOf are the ports of a bus.
func portsOf(b *bus.Bus) Ports {
	state := b.Bucket(bus.State)
	return Ports{
		Log: b, Inbox: busInbox{b}, Records: state, Claims: state,
		Store: StorePorts{Log: b, State: state, Tables: b.Bucket(bus.Tables)},
	}
}

func (p Ports) complete() bool {
	s := p.Store
	return p.Log != nil && p.Inbox != nil && p.Records != nil && p.Claims != nil && s.Log != nil && s.State != nil && s.Tables != nil
}

// busInbox is the [Inbox] of a bus.
type busInbox struct{ *bus.Bus }

func (i busInbox) Consume(ctx context.Context, c bus.ConsumerConfig, handle func(*bus.Delivery)) (Consumer, error) {
	k, err := i.Bus.Consume(ctx, c, handle)
	if err != nil {
		return nil, err // a nil *bus.Consumer would not be a nil Consumer
	}
	return k, nil
}
