package ledger

import (
	"errors"
	"time"
)

// Settings are a tenant's; every interval is one, so that tests scale time.
type Settings struct {
	Tenant string

	Waits         []time.Duration // waits of a head between tries; the last repeats
	GiveUp        time.Duration   // waited so long with the API up: a dead letter
	MissingTries  int             // tries for what the vendor does not know yet
	MissingYoung  time.Duration   // an event older than this is not ahead of the vendor's reads
	InternalTries int             // tries after a fault of our own, or an answer of a vendor that is not understood
	Jitter        float64         // how much longer a wait may be at random, 0.2 is a fifth
	Probe         time.Duration   // beat at which a paused head asks whether its API is up again
	BillWait      time.Duration   // the mapping's bill.wait: how long Kingdee may lack a bill, the API being up
	LockWait      time.Duration   // beat at which an order asks again for a bill that another one has, should no Freed come

	CallTimeout time.Duration   // of a write: sets its deadline
	Looks       []time.Duration // looks for a call in doubt, counted from its deadline
	Doubles     time.Duration   // after a resend was applied: when to look for a second record

	MaxHeld         int  // followers of a running message that are held unrecorded
	HoldAfterLetter bool // followers of a dead letter wait for a person
	CheckStatus     bool // read the bill's status before a call
	Marker          bool // mark records at the end of clsmid
	DryRun          bool // everything but the call
}

// Defaults are the settings of a tenant that sets nothing.
func Defaults(tenant string) Settings {
	return Settings{
		Tenant: tenant,
		Waits: []time.Duration{
			30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
		},
		GiveUp:        24 * time.Hour,
		MissingTries:  5,
		MissingYoung:  10 * time.Minute,
		InternalTries: 3,
		Jitter:        0.2,
		Probe:         time.Minute,
		LockWait:      time.Minute,
		CallTimeout:   30 * time.Second,
		Looks:         []time.Duration{10 * time.Second, time.Minute},
		Doubles:       time.Hour,
		MaxHeld:       16,
		Marker:        true,
	}
}

// Check reports the first setting that the machine cannot work with.
func (s Settings) Check() error {
	switch {
	case s.Tenant == "":
		return errors.New("ledger settings: no tenant")
	case len(s.Waits) == 0 || shortest(s.Waits) <= 0:
		return errors.New("ledger settings: waits must be given and positive")
	case len(s.Looks) == 0 || shortest(s.Looks) <= 0:
		return errors.New("ledger settings: looks must be given and positive")
	case s.GiveUp <= 0 || s.Probe <= 0 || s.LockWait <= 0 || s.CallTimeout <= 0 || s.Doubles <= 0:
		return errors.New("ledger settings: intervals must be positive")
	case s.MissingTries < 0 || s.InternalTries < 0 || s.MaxHeld < 1 || s.Jitter < 0:
		return errors.New("ledger settings: counts and jitter must not be negative, and one follower must be held")
	}
	return nil
}

// lastLook is when, after a call's deadline, it cannot be on its way any more.
func (s Settings) lastLook() time.Duration { return s.Looks[len(s.Looks)-1] }

func shortest(ds []time.Duration) time.Duration {
	least := ds[0]
	for _, d := range ds {
		least = min(least, d)
	}
	return least
}
