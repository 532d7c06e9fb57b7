package script

import "time"

// Event is what a watcher of a simulator sees: a call that came, a callback
// that went out, a change that someone made.
type Event struct {
	At      time.Time
	Vendor  string // "weiban" or "kingdee"
	What    string // "call", "callback" or "change"
	API     string // the simulator's name of the call; for the others, what it was: "create", "close", "rotate secret"
	Key     string // order, opportunity or bill; "" if there is none
	Outcome string // "ok", the vendor's code, an HTTP status, or "" where no whole answer went out
	Fault   Kind   // the scripted fault, if there was one
	Detail  string // a few words for a person
	Took    time.Duration
}

// Observer watches. It is called from many goroutines at once, never under a
// lock of the simulator, and delays the caller while it runs.
type Observer func(Event)

// See calls o if there is one.
func (o Observer) See(e Event) {
	if o != nil {
		o(e)
	}
}
