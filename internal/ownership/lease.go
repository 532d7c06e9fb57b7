package ownership

import (
	"context"
	"sync"
	"time"
)

// moment is one reading of both clocks. The monotonic one measures; the wall clock is read
// as well, since the monotonic one may stand still while the machine sleeps.
type moment struct {
	mono time.Time
	wall time.Time // without a monotonic reading
}

func (m moment) add(d time.Duration) moment { return moment{m.mono.Add(d), m.wall.Add(d)} }

// reached is true once either clock has reached m.
func (m moment) reached(now moment) bool {
	return !now.mono.Before(m.mono) || !now.wall.Before(m.wall)
}

// clock is the time of this process; tests stop it, as SIGSTOP does.
type clock struct {
	now   func() moment
	after func(time.Duration, func()) *time.Timer
}

func systemClock() clock {
	return clock{
		now: func() moment {
			now := time.Now()
			return moment{now, now.Round(0)}
		},
		after: time.AfterFunc,
	}
}

// lease is an instance's right to act, from one confirmed renewal to the next. A lease
// that is over stays over.
type lease struct {
	ctx    context.Context // ends with the lease, for all tenures under it
	cancel context.CancelCauseFunc
	clock  clock
	term   time.Duration

	mu    sync.Mutex
	until moment
	timer *time.Timer
}

// newLease begins a lease by a confirmed renewal that was sent at sent.
func newLease(c clock, term time.Duration, sent moment) *lease {
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &lease{ctx: ctx, cancel: cancel, clock: c, term: term, until: sent.add(term)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = c.after(l.left(), l.expire)
	return l
}

// left is the time until the end, by the monotonic clock.
func (l *lease) left() time.Duration { return l.until.mono.Sub(l.clock.now().mono) }

// extend prolongs the lease by a confirmed renewal that was sent at sent. It returns false,
// and the lease stays over, if the confirmation comes too late: other instances may have
// taken its tenants by then.
func (l *lease) extend(sent moment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() {
		return false
	}
	l.until = sent.add(l.term)
	l.timer.Reset(l.left())
	return true
}

// over reads the clock. The caller holds mu.
func (l *lease) over() bool {
	return l.ctx.Err() != nil || l.until.reached(l.clock.now())
}

// live is true if the lease is not over now, whether or not the timer has fired.
func (l *lease) live() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.over()
}

// expire is the timer's function. It ends the lease unless it was extended meanwhile.
func (l *lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over() {
		l.cancel(ErrLost)
		return
	}
	l.timer.Reset(l.left())
}

// end ends the lease before its time.
func (l *lease) end() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	l.cancel(ErrLost)
}
