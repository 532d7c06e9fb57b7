package ownership

import (
	"errors"
	"fmt"
	"time"
)

// Settings are the intervals. What is zero follows from Renew and Expire, so that a
// test that scales those two scales all but the bounds on stopping and calls.
type Settings struct {
	Renew  time.Duration // between two renewals of the lease; default 3 s
	Expire time.Duration // a peer not seen to renew for so long is dead; default 12 s, at least 3 × Renew
	Margin time.Duration // by which a lease ends, for its holder, before Expire; default Expire / 6
	Settle time.Duration // from the first change seen to the decision; default Renew / 6
	Look   time.Duration // between two readings of all that is known, should the watch have missed something; default Expire
	Retry  time.Duration // after a failure of the store or of a start; default Renew / 3
	Reply  time.Duration // how long the store's answer is waited for; default Renew × 2 / 3

	CallTimeout time.Duration // how long a vendor's call may run on after its owner died; default 30 s
	SoftStop    time.Duration // how long stages may finish what is in hand; default 20 s
	HardStop    time.Duration // how long they may take once they are cut off; default 5 s
}

// Complete fills in the defaults, and refuses what cannot work.
func (s Settings) Complete() (Settings, error) {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&s.Renew, 3*time.Second)
	set(&s.Expire, 4*s.Renew)
	set(&s.Margin, s.Expire/6)
	set(&s.Settle, s.Renew/6)
	set(&s.Look, s.Expire)
	set(&s.Retry, s.Renew/3)
	set(&s.Reply, s.Renew*2/3)
	set(&s.CallTimeout, 30*time.Second)
	set(&s.SoftStop, 20*time.Second)
	set(&s.HardStop, 5*time.Second)
	for _, d := range []time.Duration{s.Renew, s.Expire, s.Margin, s.Settle, s.Look, s.Retry, s.Reply, s.CallTimeout, s.SoftStop, s.HardStop} {
		if d < 0 {
			return s, errors.New("an interval is negative")
		}
	}
	switch {
	case s.Expire < 3*s.Renew:
		return s, fmt.Errorf("expire %v is less than three renewals of %v", s.Expire, s.Renew)
	case s.term() < 2*s.Renew:
		return s, fmt.Errorf("expire %v less the margin %v leaves less than two renewals of %v", s.Expire, s.Margin, s.Renew)
	}
	return s, nil
}

// term is how long a lease lasts from the sending of its renewal.
func (s Settings) term() time.Duration { return s.Expire - s.Margin }
