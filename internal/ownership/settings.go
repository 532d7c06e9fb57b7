package ownership

import (
	"errors"
	"fmt"
	"time"
)

// Settings are the intervals. The defaults follow from Renew and Expire, so that a test that
// scales those two scales all but the bounds on stopping and calls.
type Settings struct {
	Renew   time.Duration // between two renewals of the lease; default 3 s
	Expire  time.Duration // without a renewal for so long a peer's lease is over; default 12 s, at least 3 × Renew
	Margin  time.Duration // by which a lease ends, for its holder, before Expire; default Expire / 6
	Settle  time.Duration // from the first change seen to the decision; default Renew / 6
	Refresh time.Duration // between two reads of all known claims and leases, in case the watch missed a change; default Expire
	Retry   time.Duration // after a failure of the store or of a start; default Renew / 3
	Reply   time.Duration // the longest wait for the store's answer; default Renew × 2 / 3

	CallTimeout time.Duration // the longest run of a vendor call after its owner died; default 30 s
	SoftStop    time.Duration // the time in which stages may finish their work in progress; default 20 s
	HardStop    time.Duration // the time in which they must end once they are cut off; default 5 s
}

// Complete sets the defaults, and refuses intervals that cannot work.
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
	set(&s.Refresh, s.Expire)
	set(&s.Retry, s.Renew/3)
	set(&s.Reply, s.Renew*2/3)
	set(&s.CallTimeout, 30*time.Second)
	set(&s.SoftStop, 20*time.Second)
	set(&s.HardStop, 5*time.Second)
	for _, d := range []time.Duration{s.Renew, s.Expire, s.Margin, s.Settle, s.Refresh, s.Retry, s.Reply, s.CallTimeout, s.SoftStop, s.HardStop} {
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

// term is the duration of a lease from the sending of its renewal.
func (s Settings) term() time.Duration { return s.Expire - s.Margin }
