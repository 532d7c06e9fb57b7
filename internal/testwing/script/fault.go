// Package script holds what the simulated vendors share: what goes wrong and
// when, the port that can be closed, the windows that quotas are counted in,
// and the word for what a watcher sees.
//
// It knows nothing of either vendor: how a throttle or a refusal is worded is
// asked of the simulator. It repeats itself: the same script and the same calls
// give the same faults, however the calls are interleaved. It is called by
// fakeweiban and fakekingdee; tests and the sandbox write the scripts.
package script

import "time"

// Kind is what a fault does to one call.
type Kind string

// The kinds of fault. "The vendor's words" are the simulator's to know.
const (
	None         Kind = ""              // nothing goes wrong
	Status       Kind = "status"        // an HTTP status (default 500) with Text, not in the vendor's envelope
	Code         Kind = "code"          // the vendor's own error Code, in the vendor's own envelope
	Throttle     Kind = "throttle"      // too many calls, in the vendor's words
	TokenExpired Kind = "token-expired" // the token presented dies, and the answer says so
	GroupMoved   Kind = "group-moved"   // the account moves to another group (Kingdee's groupName), and the answer says so
	Refuse       Kind = "refuse"        // a business refusal that says Text
	Slow         Kind = "slow"          // the right answer after Delay; a caller that leaves before that has changed nothing
	Hang         Kind = "hang"          // no answer until the caller gives up, or until Delay has passed, if it is set
	Cut          Kind = "cut"           // the connection is reset before the first byte of an answer
	Torn         Kind = "torn"          // the connection is closed in the middle of the answer
	HTML         Kind = "html"          // a web page in place of JSON
	Half         Kind = "half"          // the first half of the JSON as if it were all
	Huge         Kind = "huge"          // 10 MB of JSON
	Odd          Kind = "odd"           // well-formed and successful, in an undocumented shape
	Verbatim     Kind = "verbatim"      // Status (default 200) and Text as they stand, as JSON
	Late         Kind = "late"          // cut at once, carried out after Delay, or at [Script.Release] if Delay is 0
)

// Kinds returns every kind but None.
func Kinds() []Kind {
	return []Kind{
		Status, Code, Throttle, TokenExpired, GroupMoved, Refuse, Slow, Hang,
		Cut, Torn, HTML, Half, Huge, Odd, Verbatim, Late,
	}
}

// Fault is one thing that goes wrong, and the calls that it happens to.
type Fault struct {
	Kind Kind
	API  string // the simulator's name of the call, e.g. "handle-order"; "" for every call
	Key  string // the order that the call is about; "" for every order

	Times int // how many matching calls; 0 means one, below 0 every one from then on
	After int // how many matching calls pass unharmed before the first

	// Commit carries the call out first, so that only the answer suffers.
	Commit bool

	Status int           // for Status, HTML and Verbatim
	Code   string        // for Code, and to change the code of a Throttle
	Text   string        // for Status, Code, Refuse and Verbatim
	Delay  time.Duration // for Slow, Hang and Late
}

// matches says whether the fault is meant for a call.
func (f Fault) matches(api, key string) bool {
	return (f.API == "" || f.API == api) && (f.Key == "" || f.Key == key)
}

// CommitThenHang applies the call and never answers: the caller's time-out, or
// d if it is above 0, ends it.
func CommitThenHang(api string, d time.Duration) Fault {
	return Fault{Kind: Hang, API: api, Commit: true, Delay: d}
}

// CommitThenCut applies the call and resets the connection.
func CommitThenCut(api string) Fault {
	return Fault{Kind: Cut, API: api, Commit: true}
}

// CommitThenGarbage applies the call and answers a web page, or, if half is
// set, the first half of the right answer.
func CommitThenGarbage(api string, half bool) Fault {
	if half {
		return Fault{Kind: Half, API: api, Commit: true}
	}
	return Fault{Kind: HTML, API: api, Commit: true}
}

// Fail500 answers the next n calls with HTTP 500, and applies none of them.
func Fail500(api string, n int) Fault {
	return Fault{Kind: Status, API: api, Times: n, Status: 500}
}
