package ownership

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

func tenureUnder(l *lease) *Tenure {
	t := &Tenure{Tenant: "acme", Epoch: 1, lease: l}
	t.ctx, t.cancel = context.WithCancelCause(l.ctx)
	return t
}

// wait lets d of the bubble's time pass, and all that is due then happen.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestRenewalMovesTheEndOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := systemClock()
		l := newLease(c, 10*time.Second, c.now())
		call, cancel := tenureUnder(l).CallContext(t.Context())
		defer cancel()
		for range 5 {
			wait(6 * time.Second)
			sent := c.now()
			wait(time.Second) // on the way
			if !l.extend(sent) || call.Err() != nil {
				t.Fatal("a lease renewed in time is over")
			}
		}
		wait(9*time.Second - time.Nanosecond)
		if call.Err() != nil {
			t.Error("the call ended before the lease, which counts from the sending of the renewal")
		}
		wait(time.Nanosecond)
		if !errors.Is(context.Cause(call), ErrLost) {
			t.Errorf("at the lease's end the call has %v", context.Cause(call))
		}
		if l.extend(c.now()) || l.live() {
			t.Error("a lease that was over was extended")
		}
	})
}

// After SIGSTOP or a suspended machine Check must see the end before any timer fires.
func TestCheckReadsTheClockItself(t *testing.T) {
	for name, jump := range map[string]moment{
		"stopped process":   {mono: time.Time{}.Add(time.Hour), wall: time.Time{}.Add(time.Hour)},
		"suspended machine": {wall: time.Time{}.Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			start := systemClock().now()
			now := start
			c := clock{
				now:   func() moment { return now },
				after: func(time.Duration, func()) *time.Timer { return time.NewTimer(time.Hour) },
			}
			tn := tenureUnder(newLease(c, 10*time.Second, start))
			if err := tn.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			now.mono = now.mono.Add(jump.mono.Sub(time.Time{}))
			now.wall = now.wall.Add(jump.wall.Sub(time.Time{}))
			err := tn.Check(t.Context())
			if !errors.Is(err, ErrLost) || events.KindOf(err) != events.Interrupted {
				t.Errorf("Check says %v", err)
			}
			if tn.Context().Err() == nil {
				t.Error("what runs under the tenure was not ended with it")
			}
			if call, cancel := tn.CallContext(t.Context()); call.Err() == nil {
				t.Error("a call may still begin")
			} else {
				cancel()
			}
		})
	}
}

func TestCheckGivesTheCallersCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	tn := Grant(t.Context(), "acme", 1, bus.Fence{})
	if err := tn.Check(ctx); !errors.Is(err, why) {
		t.Errorf("Check says %v", err)
	}
	if err := tn.Check(t.Context()); err != nil {
		t.Error(err)
	}
	tn.Lost()
	tn.Lost()
	if err := tn.Check(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("a lost tenure says %v", err)
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		in    Settings
		wrong bool
	}{
		"defaults":                 {Settings{}, false},
		"scaled":                   {Settings{Renew: 30 * time.Millisecond, Expire: 120 * time.Millisecond}, false},
		"expires within a renewal": {Settings{Renew: 5 * time.Second, Expire: 12 * time.Second}, true},
		"margin too wide":          {Settings{Margin: 7 * time.Second}, true},
		"negative":                 {Settings{Refresh: -1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewRunner(Options{Instance: "a", Store: newMemory(), Settings: c.in})
			if (err != nil) != c.wrong {
				t.Errorf("error %v", err)
			}
		})
	}
	set, _ := Settings{}.Complete()
	if set.Renew != 3*time.Second || set.Expire != 12*time.Second || set.term() != 10*time.Second {
		t.Errorf("defaults are %+v", set)
	}
}

func BenchmarkCheck(b *testing.B) {
	c := systemClock()
	tn := tenureUnder(newLease(c, time.Hour, c.now()))
	ctx := context.Background()
	for b.Loop() {
		if tn.Check(ctx) != nil {
			b.Fatal("lost")
		}
	}
}

// A bucket that was made again counts from 1: what is written there later is news,
// although its revision is lower, and what is told late is not.
func TestRosterOfABucketThatWasMadeAgain(t *testing.T) {
	at := time.Unix(1_763_800_000, 0)
	beat := func(revision uint64, after time.Duration) bus.Entry {
		return bus.Entry{Revision: revision, Time: at.Add(after), Value: []byte(`{}`)}
	}
	r := newRoster("one", time.Minute)
	for _, step := range []struct {
		e    bus.Entry
		want uint64 // the revision that counts then
	}{
		{beat(100, 0), 100},
		{beat(90, -time.Second), 100}, // told late
		{beat(3, time.Second), 3},     // of the bucket that was made again
		{beat(3, time.Second), 3},
		{beat(2, 0), 3},
		{beat(4, 2*time.Second), 4},
	} {
		r.sawBeat("two", step.e, at)
		r.sawClaim("acme", step.e, at)
		if b, c := r.peers["two"].revision, r.claims["acme"].Revision; b != step.want || c != step.want {
			t.Fatalf("after revision %d the lease is at %d and the claim at %d, want %d", step.e.Revision, b, c, step.want)
		}
	}
}
