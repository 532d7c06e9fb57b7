package ledger

import (
	"encoding/json"
	"time"

	"gongdan-bridge/internal/events"
)

// Action is one of the types below, to be carried out in the order given; see
// the package's contract.
type Action interface{ action() }

// Write stores the record, fenced. List: put its wait key first.
type Write struct {
	Record Record
	List   bool
}

// Unlist removes the wait key, fenced like a Write: a stale owner must not hide
// what a new one has listed. It may be late or lost; a stale key is harmless.
type Unlist struct{}

// Ack acknowledges a message that is settled, on record as a waiting head, or a
// follower of one. A message that was not delivered needs no acknowledgement.
type Ack struct {
	Stage events.Stage
	Seq   uint64
}

// Drop acknowledges a message that had its verdict before.
type Drop struct {
	Stage events.Stage
	Seq   uint64
}

// Next asks the stage's stream for the order's lowest message (event or replay)
// above After. The stream's leader must answer. → Found | Empty
type Next struct {
	Stage events.Stage
	After uint64
}

// Fetch reads the detail; never one read before the event was. → Fetched
type Fetch struct{ Seq uint64 }

// Plan runs the mapping over the message. → Planned
type Plan struct{ Seq uint64 }

// ReadBill looks the bill up in Kingdee, by id where it has one. → BillRead
type ReadBill struct{ Bill Bill }

// Enter asks for the lock on the bill: one order at a time holds it. Asked at a
// takeover the lock is given in any case and the answer is not waited for;
// entering twice is entering once. An order that is told Busy gets a Freed when
// the lock is released. → Entered
type Enter struct{ Bill Bill }

// Leave releases the lock on the bill.
type Leave struct{ Bill Bill }

// CheckStatus reads the bill's billstatus. → StatusRead
type CheckStatus struct{ Bill Bill }

// Call is the one handle-order, with Marker stamped on Body. It must not begin
// before After nor last beyond Deadline. → Called
type Call struct {
	Bill     Bill
	Body     json.RawMessage
	Marker   string
	After    time.Time
	Deadline time.Time
	EventID  string
	Seq      uint64
}

// Look searches the bill's handling records, newest first, all pages: for the
// marker; without one for records like the body, of which more than Applied
// must be there to be a match, and Found is how many more. → Looked
type Look struct {
	Bill    Bill
	Marker  string
	Markers []string // all that it may carry, Marker first; none without a marker
	Like    string
	Body    json.RawMessage
	Applied int
	Sweep   bool // a look for doubles of an applied effect
}

// What is a sort of publication.
type What string

// The sorts.
const (
	PublishEnriched What = "enriched" // the enriched event
	PublishVerdict  What = "verdict"  // the letter, if LetterID is set, then the outcome event
	PublishLetter   What = "letter"   // the letter of a head that goes on waiting
)

// Publish publishes what a message led to, under deterministic message ids.
// Check: it may be out already, so look for ID on its subject first (for
// PublishLetter: for LetterID) and do nothing if it is there; the same holds for the
// letter of a verdict that is not. A letter that is gone while its outcome is
// out was closed by a person and must not come back.
type Publish struct {
	What     What
	Stage    events.Stage
	Seq      uint64
	EventID  string // of the message; the new event's parent
	Replay   int    // the number that the new event's id ends with
	ID       string // message id of the enriched or outcome event
	LetterID string // id and message id of the letter, "" for none
	Check    bool
	Verdict  Verdict         // also for a letter: what it says
	Body     json.RawMessage // that was, or may have been, sent
	Remade   bool            // its letter went without being closed: it comes under a message id of its own
	Effect   *Effect         // that a verdict of handle is about, without its body; nil for none
}

// Wake asks for a Timer at At; it replaces the last Wake. Zero: none is needed.
// On: an API whose Resumed would wake the order earlier. Timers may be held
// back while the API that the order waits for is paused.
type Wake struct {
	At time.Time
	On [2]API // of enrich and of handle
}

// Alert tells people of something that must not be overlooked.
type Alert struct {
	Why  Alarm
	Text string
}

// Alarm is a reason for an Alert; the set is closed, for metrics.
type Alarm string

// The alarms.
const (
	AlarmDenied     Alarm = "denied"     // credentials are refused; the API is to be paused
	AlarmDoubled    Alarm = "doubled"    // two handling records carry one marker
	AlarmVanished   Alarm = "vanished"   // a message left its stream before its verdict
	AlarmStore      Alarm = "store"      // the store is older than what was done, or does not belong together
	AlarmSpace      Alarm = "room"       // a stream or bucket fills up; raised by package retention, and no tenant's
	AlarmSubscriber Alarm = "subscriber" // another service's consumer is far behind; raised by package retention, and no tenant's
	AlarmDisorder   Alarm = "disorder"   // a message came behind a later one that was vouched for
)

// TenantAlarms are the alarms that are raised for one tenant.
func TenantAlarms() []Alarm {
	return []Alarm{AlarmDenied, AlarmDoubled, AlarmVanished, AlarmStore, AlarmDisorder}
}

// CommonAlarms are the alarms that are no tenant's.
func CommonAlarms() []Alarm { return []Alarm{AlarmStore, AlarmSpace, AlarmSubscriber} }

// Answer replies to an Operator; Refused says why nothing was done.
type Answer struct{ Refused string }

func (Write) action()       {}
func (Unlist) action()      {}
func (Ack) action()         {}
func (Drop) action()        {}
func (Next) action()        {}
func (Fetch) action()       {}
func (Plan) action()        {}
func (ReadBill) action()    {}
func (Enter) action()       {}
func (Leave) action()       {}
func (CheckStatus) action() {}
func (Call) action()        {}
func (Look) action()        {}
func (Publish) action()     {}
func (Wake) action()        {}
func (Alert) action()       {}
func (Answer) action()      {}
