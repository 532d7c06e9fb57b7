package ledger

import (
	"encoding/json"
	"time"

	"gongdan-bridge/internal/events"
)

// API is a vendor interface as pauses and up-time know it; per noun where the
// vendor's differ.
type API string

// The APIs.
const (
	Detail  API = "detail"  // Weiban's details
	Reads   API = "reads"   // Kingdee's loadList and loadData
	Uploads API = "uploads" // Kingdee's file service
	Writes  API = "writes"  // Kingdee's handle-order
)

// Gate is what the owner knows of an API. Up is an odometer, since any moment of
// this ownership, of the time in which the API was not known to be down: breaker
// closed (half-open is not), no pause.
type Gate struct {
	Paused bool // open breaker, throttled, denied, or paused by a person
	Up     time.Duration
}

// Moment comes with every input: the time, a random number in [0, 1) and the
// state of the APIs after whatever the input reports.
type Moment struct {
	At                             time.Time
	Jitter                         float64
	Detail, Reads, Uploads, Writes Gate
	Held                           [2]bool // of enrich and of handle: a person has paused the stage
}

// Gate is that of an API; the zero Gate for none.
func (m Moment) Gate(a API) Gate {
	switch a {
	case Detail:
		return m.Detail
	case Reads:
		return m.Reads
	case Uploads:
		return m.Uploads
	case Writes:
		return m.Writes
	default:
		return Gate{}
	}
}

// Input is one of the types below.
type Input interface{ input() }

// Takeover is the first input of every loaded record: a new owner's, or the
// same owner's after it forgot the order. An intent found is in doubt.
type Takeover struct {
	Quiet  time.Time // no call before: the ownership's begin and one vendor read time-out
	Listed bool      // the record was loaded because its wait key is there

	History  string    // of the streams; the record's progress names the one that it belongs to
	Start    [2]uint64 // of enrich and of handle: where an order begins that was never seen
	Doubtful Doubtful
	Recovery *Recovery // nil: the record fits; needed where [Record.NeedsRecovery] says so
}

// Delivered is a message that the consumer brought. Without InOrder it is only
// a bell: the stream is asked for the lowest message above the cursor, and that
// one is run.
type Delivered struct {
	Stage events.Stage
	Message
	Again   bool // it may have been begun before: delivered twice, or by another owner
	InOrder bool // vouched for: no lower message of this order is undelivered (no gap in the consumer's own sequence)
}

// Found answers Next with the order's lowest message above the cursor.
type Found struct {
	Stage events.Stage
	Message
}

// Empty answers Next: there is none.
type Empty struct{ Stage events.Stage }

// Fetched answers Fetch; nil is success, and the driver keeps the detail for
// the Publish that follows.
type Fetched struct{ Failure *events.Failure }

// Late is a mapping rule's word on an event older than what was applied.
type Late string

// What a rule may say.
const (
	LateLetter Late = "letter" // the default
	LateSkip   Late = "skip"
	LateApply  Late = "apply"
)

// Planned answers Plan: what the mapping says. IDs are given in every case that
// allows it; they are unique over the tenant, the surest first.
type Planned struct {
	Failure   *events.Failure // the mapping cannot
	NoRule    bool            // no rule wants the event
	Otherwise bool            // and the mapping wants a letter for that
	Rule      string
	Mapping   string // version
	Late      Late
	Bill      Bill // by orderNo or by id
	IDs       []string
	Body      json.RawMessage // at most MaxBody bytes
	Like      string          // hash of start, end, handler and status
	Status    string          // F, H or G
	Reopening bool            // the event reopens a finished order
}

// BillRead answers ReadBill. Missing and Unmapped mean: Kingdee has none.
type BillRead struct {
	Bill    Bill
	Failure *events.Failure
}

// Entered answers Enter.
type Entered struct{ Busy bool }

// StatusRead answers CheckStatus with the bill's status, F, G or H.
type StatusRead struct {
	Status  string
	Failure *events.Failure
}

// Called answers Call; nil is success. Unavailable, Throttled, Denied and
// Interrupted mean that nothing ran.
type Called struct {
	Failure *events.Failure
	Before  bool   // it failed at the body's pictures: the call was not begun, whatever the kind
	Without string // the pictures that it went without, and why; "" for none
}

// Looked answers Look. Control is the positive control: for this tenant, this
// query has already found one of our own records.
type Looked struct {
	Sweep      bool
	Found      int    // records that match
	Marker     string // that the match carries; "" where none was looked for
	Understood bool   // the whole answer was, all pages
	Control    bool
	Failure    *events.Failure
}

// Timer says that the time of the last Wake has come; early or twice is harmless.
type Timer struct{}

// Resumed says that an API is up again; heads paused on it go at once.
type Resumed struct{ On API }

// Freed says that a bill is unlocked for which this order was told Busy.
type Freed struct{}

// Word is what a person says about a held head.
type Word string

// The words.
const (
	SettleApplied Word = "applied"    // the call in doubt did run
	SendAgain     Word = "send again" // it did not
	TryAgain      Word = "try again"  // run the head again; look again if it is in doubt
	Discard       Word = "discard"    // let it be; the followers go on
)

// Ends reports whether the word ends the event. After any other the event goes on.
func (w Word) Ends() bool { return w == SettleApplied || w == Discard }

// Operator is a person's word on the waiting head of a stage, answered by Answer.
type Operator struct {
	Stage events.Stage
	Seq   uint64 // the head's, so that a person settles only what they saw
	Word  Word
	Who   string
	Why   string
}

// Expiring says that a waiting message is about to leave the stream.
type Expiring struct {
	Stage events.Stage
	Seq   uint64
}

// Broke says that a fault of ours, such as a panic, ended the work on a message
// and all that the order had in memory. It follows the Takeover of the order that
// was loaded again, and counts as a failed try of the message.
type Broke struct {
	Stage   events.Stage
	Seq     uint64
	Failure *events.Failure // of the kind Internal
}

func (Takeover) input()   {}
func (Broke) input()      {}
func (Delivered) input()  {}
func (Found) input()      {}
func (Empty) input()      {}
func (Fetched) input()    {}
func (Planned) input()    {}
func (BillRead) input()   {}
func (Entered) input()    {}
func (StatusRead) input() {}
func (Called) input()     {}
func (Looked) input()     {}
func (Timer) input()      {}
func (Resumed) input()    {}
func (Freed) input()      {}
func (Operator) input()   {}
func (Expiring) input()   {}
