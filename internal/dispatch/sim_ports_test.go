package dispatch_test

import (
	"context"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/sleep"
	"gongdan-bridge/internal/testwing/memory"
)

// do carries one exchange with the server: the process may be stopped or die
// before it or behind it, it may take its time, it may come to nothing, and its
// answer may be lost. What has left arrives, whatever becomes of the caller.
func (p *process) do(ctx context.Context, what string, exchange func() error) error {
	if err := p.awake(); err != nil {
		return err
	}
	w := p.w
	if !time.Now().Before(w.calm) {
		return exchange()
	}
	d := w.dice(what)
	fate := w.fate(d)
	if fate != "" {
		w.logf("%s: %s: %s", p.name, what, fate)
	}
	switch fate {
	case "killed before":
		p.die(what)
		return errDead
	case "slow":
		was := w.after()
		sleep.For(ctx, time.Duration(d.Int64N(int64(8*time.Second))))
		if w.after() != was {
			return unanswered(what) // the server went down meanwhile
		}
	case "undone":
		sleep.For(ctx, 5*time.Second)
		return unanswered(what)
	}
	err := exchange()
	switch fate {
	case "killed behind":
		p.die(what)
	case "unheard":
		sleep.For(ctx, 5*time.Second)
		err = unanswered(what)
	}
	if dead := p.awake(); dead != nil {
		return dead
	}
	return err
}

func unanswered(what string) error { return fmt.Errorf("%s: %w", what, bus.ErrUnreachable) }

// ask is do for an exchange that has an answer.
func ask[T any](ctx context.Context, p *process, what string, exchange func() (T, error)) (T, error) {
	var answer, none T
	err := p.do(ctx, what, func() (err error) {
		answer, err = exchange()
		return err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

// portLog is a process's way to the streams.
type portLog struct{ p *process }

func (l portLog) Publish(ctx context.Context, m bus.Message) (bus.Ack, error) {
	w := l.p.w
	return ask(ctx, l.p, "publish "+m.Subject, func() (bus.Ack, error) {
		if w.mistake.publish != nil {
			w.mistake.publish(l.p, &m)
		}
		if m.Subject == "" {
			return bus.Ack{}, nil
		}
		w.logf("%s publishes %s", l.p.name, m.ID)
		return w.server.Publish(context.WithoutCancel(ctx), m)
	})
}

func (l portLog) Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error) {
	return ask(ctx, l.p, "read "+stream, func() (bus.Stored, error) {
		w := l.p.w
		m, err := w.server.Get(ctx, stream, sequence)
		if old := w.accident.remembered(stream, sequence); w.mistake.witness && w.after() && err == nil && old != nil {
			return *old, nil
		}
		return m, err
	})
}

func (l portLog) Next(ctx context.Context, stream, subject string, from uint64) (bus.Stored, error) {
	return ask(ctx, l.p, "next "+subject, func() (bus.Stored, error) {
		if l.p.w.mistake.next != nil {
			if err := l.p.w.mistake.next(subject); err != nil {
				return bus.Stored{}, err
			}
		}
		return l.p.w.server.Next(ctx, stream, subject, from)
	})
}

func (l portLog) Usage(ctx context.Context, stream string) (bus.Usage, error) {
	return ask(ctx, l.p, "usage", func() (bus.Usage, error) { return l.p.w.server.Usage(ctx, stream) })
}

func (l portLog) MaxPayload() int64 { return l.p.w.server.MaxPayload() }

// portStore is a process's way to what tells whether the store belongs together.
type portStore struct{ portLog }

func (l portStore) Identity(ctx context.Context, name string) (bus.Identity, error) {
	return ask(ctx, l.p, "identity of "+name, func() (bus.Identity, error) {
		id, err := l.p.w.server.Identity(ctx, name)
		if f := l.p.w.mistake.identity; f != nil && l.p.w.after() {
			f(l.p.w, name, &id)
		}
		return id, err
	})
}

func (l portStore) Mend(ctx context.Context) ([]string, error) {
	return ask(ctx, l.p, "mend", func() ([]string, error) { return l.p.w.server.Mend(ctx) })
}

func (l portStore) Last(ctx context.Context, stream, subject string) (bus.Stored, error) {
	return ask(ctx, l.p, "last of "+stream, func() (bus.Stored, error) { return l.p.w.server.Last(ctx, stream, subject) })
}

// portLetters is a process's way to the letters, which it only ever puts.
type portLetters struct {
	portLog
	*memory.Server
}

func (l portLetters) Publish(ctx context.Context, m bus.Message) (bus.Ack, error) {
	return l.portLog.Publish(ctx, m)
}

func (l portLetters) Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error) {
	return l.portLog.Get(ctx, stream, sequence)
}

// portInbox is what brings work to a process.
type portInbox struct{ p *process }

func (i portInbox) Consume(ctx context.Context, c bus.ConsumerConfig, handle func(*bus.Delivery)) (dispatch.Consumer, error) {
	p := i.p
	var made dispatch.Consumer
	k, err := ask(ctx, p, "consume "+c.Name, func() (dispatch.Consumer, error) {
		p.mu.Lock()
		s := p.delivers[c.Name]
		if s == nil {
			s = &sieve{p: p, name: c.Name}
			p.delivers[c.Name] = s
		}
		p.mu.Unlock()
		k, err := p.w.server.Consume(ctx, c, func(d *bus.Delivery) { s.pass(d, handle) })
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running, made = append(p.running, k), k
		return k, nil
	})
	if err != nil && made != nil {
		_ = made.Stop(gone()) // it is there, but who made it does not know and asks it for nothing
	}
	return k, err
}

// gone is a context that has ended.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (i portInbox) ConsumerInfo(ctx context.Context, stream, name string) (bus.ConsumerInfo, error) {
	return ask(ctx, i.p, "info "+name, func() (bus.ConsumerInfo, error) {
		x, err := i.p.w.server.ConsumerInfo(ctx, stream, name)
		if i.p.w.mistake.floorTooHigh {
			x.AckFloor = x.Delivered
		}
		return x, err
	})
}

func (i portInbox) DeleteConsumer(ctx context.Context, stream, name string) error {
	return i.p.do(ctx, "delete "+name, func() error {
		if i.p.w.mistake.leavesConsumers {
			return nil
		}
		return i.p.w.server.DeleteConsumer(ctx, stream, name)
	})
}

func (i portInbox) Followers(ctx context.Context, stream string) ([]bus.Follower, error) {
	return ask(ctx, i.p, "followers of "+stream, func() ([]bus.Follower, error) { return i.p.w.server.Followers(ctx, stream) })
}

func (i portInbox) Serve(subject string, answer func(context.Context, []byte) []byte) (func(), error) {
	return i.p.w.server.Serve(subject, func(ctx context.Context, data []byte) []byte {
		if i.p.awake() != nil {
			return nil // nobody there, and nobody to say so
		}
		return answer(ctx, data)
	})
}

// sieve hands a consumer's deliveries over to a process; a few are lost on the way.
type sieve struct {
	p    *process
	name string
	turn uint64 // of the mistake that vouches for all
}

func (s *sieve) pass(d *bus.Delivery, handle func(*bus.Delivery)) {
	w := s.p.w
	if s.p.awake() != nil {
		return
	}
	if w.chance(w.dice("deliver "+s.name), w.weather.drop) {
		w.logf("%s: %s %d is lost on the way", s.p.name, s.name, d.Sequence)
		return
	}
	w.logf("%s: %s brings %d, the %d. time", s.p.name, s.name, d.Sequence, d.Delivered)
	settle := d.Ack
	x := d.By(func() error {
		// An ack is sent and not waited for.
		if s.p.awake() == nil && !w.chance(w.dice("ack "+s.name), w.weather.forget) {
			return settle()
		}
		return nil
	})
	if w.mistake.deliver != nil {
		if x = w.mistake.deliver(s, x); x == nil {
			return
		}
	}
	handle(x)
}
