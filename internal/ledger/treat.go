package ledger

import (
	"time"

	"gongdan-bridge/internal/events"
)

// Act is what failed. It implies its stage and its API.
type Act string

// The acts. All but ActCall can be repeated freely.
const (
	ActFetch  Act = "fetch"  // enrich: read the detail
	ActPlan   Act = "plan"   // handle: run the mapping
	ActBill   Act = "bill"   // handle: find the bill
	ActStatus Act = "status" // handle: read its status
	ActPhotos Act = "photos" // handle: bring the body's pictures to Kingdee, right before the write
	ActCall   Act = "call"   // handle: the write
	ActLook   Act = "look"   // handle: search for a call in doubt
)

// Stage is where the act belongs.
func (a Act) Stage() events.Stage {
	if a == ActFetch {
		return events.Enrich
	}
	return events.Handle
}

// API is what the act calls, "" for none.
func (a Act) API() API {
	switch a {
	case ActFetch:
		return Detail
	case ActBill, ActStatus, ActLook:
		return Reads
	case ActPhotos:
		return Uploads
	case ActCall:
		return Writes
	default:
		return ""
	}
}

// Do is what a failure leads to.
type Do string

// The ways on.
const (
	Retry    Do = "retry"     // the head waits, a try is spent
	Pause    Do = "pause"     // the head waits for the API, no try is spent
	ToDoubt  Do = "doubt"     // it may have run: look, never repeat blindly
	ToLetter Do = "letter"    // dead letter
	ToPerson Do = "person"    // the head waits with a letter that a person settles
	GiveBack Do = "give back" // another owner goes on, no try is spent
)

// Attempt is one failure in its circumstances.
type Attempt struct {
	Act    Act
	Kind   events.Kind
	Tries  int           // failed tries on this API before this one
	Up     time.Duration // time that the head has waited while the API was up
	Age    time.Duration // of the event
	Wait   time.Duration // that the vendor asked for
	Paused bool          // the API is known to be down now
	Answer bool          // it is about what the vendor said, not about what we hold
}

// Treatment is what is done about it. Wait is before jitter, which only adds.
type Treatment struct {
	Do    Do
	Wait  time.Duration
	Alert bool
}

// Treat is the one place where a kind of failure becomes a treatment. An
// unknown kind is a fault of ours.
func Treat(a Attempt, s Settings) Treatment {
	switch a.Kind {
	case events.Throttled:
		return pause(a, s)
	case events.Denied:
		t := pause(a, s)
		t.Alert = true
		return t
	case events.Interrupted:
		return Treatment{Do: GiveBack, Wait: s.Probe}
	}
	if a.Act == ActCall {
		return treatWrite(a, s)
	}
	return treatRead(a, s)
}

// treatWrite: a write is repeated only where nothing ran.
func treatWrite(a Attempt, s Settings) Treatment {
	switch a.Kind {
	case events.Unavailable:
		return patient(a, s, s.GiveUp)
	case events.Missing:
		// Kingdee found the bill a moment ago.
		return few(a, s, s.MissingTries)
	case events.Invalid:
		if a.Answer {
			return few(a, s, s.InternalTries) // refused before the vendor: nothing ran
		}
		return Treatment{Do: ToLetter}
	case events.Rejected, events.Unmapped:
		return Treatment{Do: ToLetter}
	default:
		// Uncertain, and a fault of ours in the midst of a write.
		return Treatment{Do: ToDoubt}
	}
}

// treatRead: nothing that a read does or fails to do changes anything.
func treatRead(a Attempt, s Settings) Treatment {
	switch a.Kind {
	case events.Unavailable, events.Uncertain:
		if a.Act == ActPlan {
			// A mapping makes no call.
			return few(a, s, s.InternalTries)
		}
		return patient(a, s, s.GiveUp)
	case events.Missing, events.Unmapped:
		switch {
		case a.Act == ActBill:
			return patient(a, s, s.BillWait)
		case a.Act == ActLook || a.Kind == events.Unmapped || a.Age >= s.MissingYoung:
			return Treatment{Do: end(a)}
		}
		return few(a, s, s.MissingTries)
	case events.Invalid:
		if a.Answer || a.Act == ActBill || a.Act == ActStatus { // these acts fail only by their answer
			// It may be whole next time. It is this order's alone: an answer that
			// fails while the API is not known to be up is Unavailable.
			return few(a, s, s.InternalTries)
		}
		return Treatment{Do: end(a)}
	case events.Rejected:
		return Treatment{Do: end(a)}
	default:
		return few(a, s, s.InternalTries)
	}
}

// end is the treatment after the last try. A person settles a call that may have run.
func end(a Attempt) Do {
	if a.Act == ActLook {
		return ToPerson
	}
	return ToLetter
}

func pause(a Attempt, s Settings) Treatment {
	return Treatment{Do: Pause, Wait: max(a.Wait, s.Probe)}
}

// patient waits longer each time until the API was up for limit.
func patient(a Attempt, s Settings, limit time.Duration) Treatment {
	switch {
	case a.Paused:
		return pause(a, s)
	case a.Up >= limit:
		return Treatment{Do: end(a)}
	}
	return Treatment{Do: Retry, Wait: max(a.Wait, waitAfter(s.Waits, a.Tries))}
}

// few tries n times in all.
func few(a Attempt, s Settings, n int) Treatment {
	if a.Tries+1 >= n {
		return Treatment{Do: end(a)}
	}
	return Treatment{Do: Retry, Wait: max(a.Wait, waitAfter(s.Waits, a.Tries))}
}

func waitAfter(waits []time.Duration, i int) time.Duration {
	return waits[min(max(i, 0), len(waits)-1)]
}

// Resend says how long after its deadline a call in doubt that was sent so often
// may be sent again: the first time as soon as the looks are done, then in the
// steps of a head's waits. Not ok: it was in doubt so long with Kingdee up that
// a person is to be asked.
func Resend(sends int, up time.Duration, s Settings) (after time.Duration, ok bool) {
	if sends > 1 {
		after = waitAfter(s.Waits, sends-2)
	}
	return after, up < s.GiveUp
}
