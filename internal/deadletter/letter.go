// Package deadletter keeps what could not be done until a person decides: the
// letters in stream DEAD, their replay into the one stage that failed, and the
// audit of every closing.
//
// A letter holds the whole event, so that a replay needs nothing else. The
// stream holds open letters only: closing one writes AUDIT first and deletes
// the letter last, so that a crash between the two leaves a letter too many
// and never one too few. Dispatch writes letters; the subcommands and the
// console read and close them.
package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/events"
)

// Headers of a replayed message.
const (
	HeaderReplay   = "Gongdan-Replay"   // number of the replay, from 1
	HeaderForced   = "Gongdan-Forced"   // the reason why an uncertain effect may run again
	HeaderSequence = "Gongdan-Sequence" // the callback's sequence in CALLBACKS, for its position
	HeaderLetter   = "Gongdan-Letter"   // id of the letter that was replayed
	// HeaderGeneration is the generation that a forced replay is to make of an effect
	// that was applied, so that the same wish twice comes true once.
	HeaderGeneration = "Gongdan-Generation"
)

// Letter is one dead letter: what failed, where, why, and the event itself.
type Letter struct {
	ID       string       `json:"id"` // deterministic: a crash cannot make two of one failure
	Tenant   string       `json:"tenant"`
	Stage    events.Stage `json:"stage"`
	Noun     events.Noun  `json:"noun"`
	Key      string       `json:"key"`
	Kind     events.Kind  `json:"kind"`
	Shelf    string       `json:"shelf"` // "business" or "system"
	Reason   string       `json:"reason"`
	Advice   string       `json:"advice,omitempty"` // what to do, if we know
	API      string       `json:"api,omitempty"`
	Code     string       `json:"code,omitempty"`   // the vendor's
	Status   int          `json:"status,omitempty"` // HTTP
	Rule     string       `json:"rule,omitempty"`
	Field    string       `json:"field,omitempty"`
	Expr     string       `json:"expr,omitempty"`
	Word     string       `json:"word,omitempty"` // the word that no table knows
	Mapping  string       `json:"mapping,omitempty"`
	Tries    int          `json:"tries"`
	Replay   int          `json:"replay"`            // how often it had been replayed before
	Forced   string       `json:"forced,omitempty"`  // why it was to run again though it was applied
	Again    int          `json:"again,omitempty"`   // the generation that it was to make then
	Waiting  bool         `json:"waiting,omitempty"` // the order itself waits for a person's word
	DiedAt   time.Time    `json:"died_at"`
	Stream   string       `json:"stream"`   // where the message lay
	Sequence uint64       `json:"sequence"` // its sequence there
	Callback uint64       `json:"callback"` // sequence of the callback in CALLBACKS
	Trace    string       `json:"trace,omitempty"`
	Parent   string       `json:"traceparent,omitempty"` // of the attempt that made the letter; a replay links to it

	Bill   *events.BillRef `json:"bill,omitempty"`
	Marker string          `json:"marker,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"` // the body that may have been sent

	EventID string          `json:"event_id"`
	Event   json.RawMessage `json:"event"` // the CloudEvent that the stage was given, verbatim
}

// Fill takes what a failure says into the letter.
func (l *Letter) Fill(f *events.Failure) {
	l.Kind, l.Shelf, l.Reason = f.Kind, f.Kind.Shelf(), f.Reason
	if l.Reason == "" {
		l.Reason = f.Error()
	}
	l.API, l.Code, l.Status = f.API, f.Code, f.Status
	l.Rule, l.Field, l.Expr, l.Word = f.Rule, f.Field, f.Expr, f.Word
}

// parent is the trace that a replay continues: of the attempt that made the letter, or, in
// a letter without it, of the callback.
func (l *Letter) parent() string {
	if l.Parent != "" {
		return l.Parent
	}
	ev, err := events.Decode(events.ContentType, l.Event)
	if err != nil {
		return ""
	}
	return events.Extension(ev, events.ExtParent)
}

// Subject is where the letter is published.
func (l *Letter) Subject() string {
	return events.DeadSubject(l.Tenant, l.Stage, l.Kind, l.Noun, l.Key)
}

// Open is a letter as it lies in the stream; Number is its sequence there and
// what a person calls it by.
type Open struct {
	Number uint64 `json:"number"`
	Letter
}

// What a person may be told.
var (
	ErrNoLetter     = errors.New("no such dead letter")
	ErrUncertain    = errors.New("the call may have run: look at the bill in Kingdee first, then give --force with the reason")
	ErrNeedsReason  = errors.New("a reason is needed")
	ErrWaits        = errors.New("the order itself waits with this letter: settle it (dispatcher dead settle)")
	errNotALetter   = errors.New("not a dead letter")
	errNothingToRun = errors.New("the letter holds no event")
)

func decode(number uint64, data []byte) (Open, error) {
	o := Open{Number: number}
	if err := json.Unmarshal(data, &o.Letter); err != nil || o.ID == "" {
		return Open{}, fmt.Errorf("dead letter %d: %w", number, errors.Join(errNotALetter, err))
	}
	if string(o.Event) == "null" {
		o.Event = nil
	}
	return o, nil
}
