package history

import (
	"encoding/json"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
)

// Key is the key of the record in bucket STATE, and of the anchor in bucket TABLES.
const Key = "store"

// Record describes the store as a whole.
type Record struct {
	History string    `json:"history,omitempty"` // orders' records name the one that they belong to; the first has no name
	Began   time.Time `json:"began,omitzero"`

	// Up to Stale and Lost calls may have been made that no record tells of: Stale,
	// because the store may be an older copy; Lost, because records are gone.
	Stale Moment `json:"stale,omitzero"`
	Lost  Moment `json:"lost,omitzero"`
	// Letters says that dead letters were lost: those of dead orders are written again.
	Letters bool `json:"letters,omitempty"`

	Seen    map[string]Sighting `json:"seen,omitempty"`    // by stream or bucket
	Trimmed map[string]uint64   `json:"trimmed,omitempty"` // by stream: below here the bridge itself has removed messages
	Notes   []Note              `json:"notes,omitempty"`   // oldest first
}

// Moment is a moment by its time and by the two streams that the stages read.
type Moment struct {
	Time      time.Time `json:"time,omitzero"`
	Callbacks uint64    `json:"callbacks,omitempty"` // newest message of CALLBACKS
	Events    uint64    `json:"events,omitempty"`    // newest message of EVENTS
}

// Sighting is the last seen state of a stream or bucket. Its newest message is the witness:
// another message with that sequence belongs to another history.
type Sighting struct {
	Life string    `json:"life"`
	Last uint64    `json:"last,omitempty"`
	Time time.Time `json:"time,omitzero"` // when the newest message was stored
	ID   string    `json:"id,omitempty"`  // its message id
	// Deleted is the number of messages that were missing between the first and the last.
	Deleted int `json:"deleted,omitempty"`
	// Gone says that the newest message was deleted or over age: there is no witness.
	Gone bool `json:"gone,omitempty"`
}

// Note is a misfit, or a silence.
type Note struct {
	At    time.Time `json:"at"`
	Store string    `json:"store"` // stream or bucket; "" for all of it
	What  string    `json:"what"`
	Act   string    `json:"act"` // what the bridge does about it, and what is left for a person
	// Mild notes are for information: nothing is known to be missing.
	Mild   bool   `json:"mild,omitempty"`
	SeenBy string `json:"seen_by,omitempty"` // who has acknowledged it
	// The missing messages were stored between From and Until. From is zero if its time is
	// unknown.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// String is one line of a log.
func (n Note) String() string {
	name := n.Store
	if name == "" {
		name = "the store"
	}
	return name + " " + n.What + "; " + n.Act
}

// maxNotes bounds the record.
const maxNotes = 20

func (r *Record) note(notes []Note) {
	r.Notes = append(r.Notes, notes...)
	r.Notes = r.Notes[max(0, len(r.Notes)-maxNotes):]
}

func (r Record) encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the store's record: %w", err)
	}
	return b, nil
}

// Decode reads a record from STATE.
func Decode(e bus.Entry) (Record, error) {
	var r Record
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return r, fmt.Errorf("the store's record: %w", err)
	}
	return r, nil
}

// anchor is the life and revision of STATE, stored outside of it.
type anchor struct {
	Life     string `json:"life"`
	Revision uint64 `json:"revision"`
}
