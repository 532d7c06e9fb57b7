package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
)

// Record is everything that must be known of one order to go on with it. It is
// stored under one key and never exceeds [MaxRecord] bytes as [Record.Encode]
// writes it. The zero Record is an order never seen.
type Record struct {
	Bill    *Bill    `json:"bill,omitempty"`
	Enrich  Progress `json:"enrich"`
	Handle  Progress `json:"handle"`
	Effects []Effect `json:"effects,omitempty"` // the one touched last stands last
	Applied string   `json:"applied,omitempty"` // position of the newest event applied
	Status  string   `json:"status,omitempty"`  // F, G or H: of the call applied last
	Forgot  bool     `json:"forgot,omitempty"`  // effects were dropped for want of space
}

// Bill is the Kingdee service work order that the order is about.
type Bill struct {
	ID      string `json:"id,omitempty"`      // 服务工单单据id
	OrderNo string `json:"orderNo,omitempty"` // 服务工单单据编码
}

// Progress is how far one stage has come with the order.
type Progress struct {
	History string   `json:"history,omitempty"` // of the streams, that the sequences belong to
	Cursor  uint64   `json:"cursor,omitempty"`  // every message up to here has its verdict
	At      int64    `json:"at,omitempty"`      // when the message at Cursor was stored, Unix nanoseconds: a witness
	Behind  bool     `json:"behind,omitempty"`  // messages above may have been acknowledged without one
	Head    *Head    `json:"head,omitempty"`    // the message that waits, nil if none does
	Last    *Verdict `json:"last,omitempty"`    // the newest verdict, for its publications
	Seen    []string `json:"seen,omitempty"`    // hashes of the newest settled (event, replay)
	Spent   []string `json:"spent,omitempty"`   // hashes of the replays that let a held head run; they force nothing more
}

// Message is what a stage must know of a message without reading it.
type Message struct {
	Seq        uint64 `json:"seq"`
	At         int64  `json:"at,omitempty"` // when it was stored, Unix nanoseconds
	EventID    string `json:"event"`
	Position   string `json:"position,omitempty"`   // events.Position; decides what is late
	Arrived    bool   `json:"arrived,omitempty"`    // Position has the time of arrival, since Weiban's lies in the future
	Replay     int    `json:"replay,omitempty"`     // number of the replay of this stage, 0 for none
	Asked      bool   `json:"asked,omitempty"`      // a person wants this run: a replay of this stage, or what a replay of enrich made
	Forced     string `json:"forced,omitempty"`     // a person's reason to run it whatever was applied before
	Generation int    `json:"generation,omitempty"` // that a forced replay is to make, see Record.NextGeneration
}

// Why is what a head waits for.
type Why string

// The reasons to wait.
const (
	Running Why = "running" // worked on; recorded because too many followers came
	Backoff Why = "backoff" // until Next
	Paused  Why = "paused"  // until its API is up again
	Denied  Why = "denied"  // until its API is up again; credentials were refused
	NoBill  Why = "bill"    // until Kingdee has the bill, or another order leaves it
	Doubt   Why = "doubt"   // until the next look
	Held    Why = "letter"  // until a person settles the letter
)

// Head is the message that a stage waits with. It has been acknowledged.
type Head struct {
	Message
	Was     uint64        `json:"was,omitempty"` // its sequence in a history of the store before, by which its letter names it
	Why     Why           `json:"why"`
	On      API           `json:"on,omitempty"`    // the API whose time and pauses count
	Tries   int           `json:"tries,omitempty"` // failed tries on that API
	Since   time.Time     `json:"since"`
	Next    time.Time     `json:"next,omitzero"`     // earliest next try or look
	Up      time.Duration `json:"up,omitempty"`      // time waited while that API was up
	Fault   *Fault        `json:"fault,omitempty"`   // of the last try
	Letters int           `json:"letters,omitempty"` // letters that this head has made while waiting
	Posted  bool          `json:"posted,omitempty"`  // the newest of them is known to be published
}

// Is reports whether the head is the message of that sequence, of this history of the
// store or of the one before.
func (h Head) Is(seq uint64) bool { return seq == h.Seq || h.Was > 0 && seq == h.Was }

// State says how far an effect has come.
type State string

// The states.
const (
	Intent     State = "intent"   // on record, the call may be on its way
	InDoubt    State = "in doubt" // the call may have run
	Applied    State = "applied"  // Kingdee holds its record
	Superseded State = "superseded"
	Ignored    State = "ignored"
	Dead       State = "dead"
)

// Effect is one handle-order: what it is known by, what was or will be sent,
// and what became of it. Pictures stand in the body by their source, so that
// every send can upload them again.
type Effect struct {
	IDs         []string        `json:"ids"` // identities; any match is the same effect
	Generation  int             `json:"generation,omitempty"`
	Application int             `json:"application,omitempty"` // fresh runs after a dead one; each has its own marker
	State       State           `json:"state"`
	EventID     string          `json:"event"`
	Seq         uint64          `json:"seq,omitempty"`
	Position    string          `json:"position,omitempty"`
	Replay      int             `json:"replay,omitempty"`
	Rule        string          `json:"rule,omitempty"`
	Mapping     string          `json:"mapping,omitempty"` // its version
	Bill        *Bill           `json:"bill,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`    // exact and compact, without the marker; gone once published
	Marker      string          `json:"marker,omitempty"`  // to be stamped on the body with [WithMarker] at every send
	Like        string          `json:"like,omitempty"`    // hash of start, end, handler and status, to be known by without a marker
	Status      string          `json:"status,omitempty"`  // F, H or G
	Without     string          `json:"without,omitempty"` // the pictures that the newest call went without, and why
	Sends       int             `json:"sends,omitempty"`   // calls of this application that may have run
	Looks       int             `json:"looks,omitempty"`   // looks after the newest of them
	Deadline    time.Time       `json:"deadline,omitzero"` // of the newest of them
	Word        bool            `json:"word,omitempty"`    // a person said: send it again unless it is found
	Stale       bool            `json:"stale,omitempty"`   // in doubt only because the store may be an older copy: what is not found is sent
	Unsure      bool            `json:"unsure,omitempty"`  // dead, and may have run all the same
	Sweep       time.Time       `json:"sweep,omitzero"`    // when to look for a double
	Begun       time.Time       `json:"begun,omitzero"`
	Ended       time.Time       `json:"ended,omitzero"`
}

// Verdict is how a message ended, and what it implies to be published.
type Verdict struct {
	Seq         uint64         `json:"seq"`
	EventID     string         `json:"event"`
	Replay      int            `json:"replay,omitempty"`
	Outcome     events.Outcome `json:"outcome"`
	Reason      string         `json:"reason,omitempty"`
	DuplicateOf string         `json:"duplicate_of,omitempty"` // event id
	Rule        string         `json:"rule,omitempty"`
	Mapping     string         `json:"mapping,omitempty"`
	Bill        *Bill          `json:"bill,omitempty"`
	Marker      string         `json:"marker,omitempty"`
	Status      string         `json:"status,omitempty"`
	DryRun      bool           `json:"dry_run,omitempty"`
	Fault       *Fault         `json:"fault,omitempty"`  // of a dead one
	Letter      int            `json:"letter,omitempty"` // number of its letter among the head's
	Posted      bool           `json:"posted,omitempty"` // that letter is out already, from when the head waited with it
	Tries       int            `json:"tries,omitempty"`
	At          time.Time      `json:"at"`
	Published   bool           `json:"published,omitempty"` // known so; written with the record's next write
}

// Fault is an events.Failure as a record keeps it.
type Fault struct {
	Kind   events.Kind `json:"kind"`
	API    string      `json:"api,omitempty"`
	Code   string      `json:"code,omitempty"`
	Status int         `json:"status,omitempty"`
	Reason string      `json:"reason,omitempty"`
	Rule   string      `json:"rule,omitempty"`
	Field  string      `json:"field,omitempty"`
	Expr   string      `json:"expr,omitempty"`
	Word   string      `json:"word,omitempty"`
}

// Encode writes the record as JSON, the bodies byte for byte.
func (r Record) Encode() ([]byte, error) {
	b, err := events.JSON(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return b, nil
}

// Decode reads what [Record.Encode] wrote; no bytes are an order never seen.
func Decode(b []byte) (Record, error) {
	var r Record
	if len(b) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("decode record: %w", err)
	}
	return r, nil
}

// Open reports whether something remains to be done that no delivery will bring
// back: such a record is listed under its wait key and never expires.
func (r Record) Open() bool {
	for _, l := range []Progress{r.Enrich, r.Handle} {
		if l.Head != nil || l.Behind {
			return true
		}
	}
	for _, e := range r.Effects {
		if e.State == Intent || e.State == InDoubt || !e.Sweep.IsZero() {
			return true
		}
	}
	return false
}

// Ended is how the callback's event of that id ended in stage handle, as far as the
// record knows: one whose effect is another event's is ignored. "" if it does not.
func (r Record) Ended(callback string) State {
	var s State
	for _, e := range r.Effects {
		if root, _, _ := strings.Cut(e.EventID, "~"); root == callback && e.final() {
			s = e.State
		}
	}
	if s == "" && slices.Contains(r.Handle.Seen, seen(callback+"~enrich~0", 0)) {
		return Ignored
	}
	return s
}

// NextGeneration is the generation that a forced replay is to ask for: the one
// after what was applied under any of names (event ids and identities), 0 if
// nothing was. Asking by number makes the same wish uttered twice come true once.
func (r Record) NextGeneration(names ...string) int {
	next := 0
	for _, e := range r.Effects {
		if e.State == Applied && (slices.Contains(names, e.EventID) || e.known(names)) {
			next = max(next, e.Generation+1)
		}
	}
	return next
}

// Needs is the lowest message of the stage's stream that this stage still needs
// and that may have been acknowledged; such a message must not be trimmed.
func (l Progress) Needs() (seq uint64, ok bool) {
	switch {
	case l.Last != nil && !l.Last.Published:
		return l.Last.Seq, true
	case l.Head != nil:
		return l.Head.Seq, true
	default:
		return l.Cursor + 1, l.Behind
	}
}

// Progress is how far a stage has come with the order.
func (r Record) Progress(st events.Stage) Progress {
	if st == events.Enrich {
		return r.Enrich
	}
	return r.Handle
}

// clone copies what Step may change; bodies and identities are replaced, never
// written into.
func (r Record) clone() Record {
	r.Enrich, r.Handle = r.Enrich.clone(), r.Handle.clone()
	r.Effects = append([]Effect(nil), r.Effects...)
	return r
}

func (l Progress) clone() Progress {
	if l.Head != nil {
		h := *l.Head
		l.Head = &h
	}
	if l.Last != nil {
		v := *l.Last
		l.Last = &v
	}
	return l
}
