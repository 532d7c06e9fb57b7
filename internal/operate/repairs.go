package operate

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/textfile"
)

// TableChange is what a change of a table did.
type TableChange struct {
	Tenant    string          `json:"tenant"`
	Table     string          `json:"table"`
	Changes   []tables.Change `json:"changes"`       // none where the table said so already
	Own       *tables.Cells   `json:"own,omitempty"` // what the mapping's own table says of the row that was taken away
	Seen      *tables.Cells   `json:"-"`             // what look-ups find, where that is more than the changed row
	Repairs   []Repair        `json:"repairs"`       // never nil
	Remaining []Remaining     `json:"remaining,omitempty"`
	Warnings  textfile.Faults `json:"warnings,omitempty"` // of the file that was imported
}

// Removed reports whether one row was taken away.
func (c TableChange) Removed() bool { return len(c.Changes) == 1 && c.Changes[0].After == nil }

// Repair is an open dead letter that the mapping can do now.
type Repair struct {
	Letter uint64      `json:"letter"`
	Noun   events.Noun `json:"noun"`
	Order  string      `json:"order"`
	Word   string      `json:"word,omitempty"` // that was missing when it died
	Rule   string      `json:"rule,omitempty"` // that takes it now; "" where none wants it any more
	Waits  bool        `json:"-"`              // its order waits with it, so that it is settled and not replayed

	Command string `json:"command,omitempty"` // that runs it again; the command line fills it in
}

// Remaining is an open dead letter about a word that was changed, and that the mapping
// cannot do yet.
type Remaining struct {
	Letter uint64 `json:"letter"`
	Order  string `json:"order"`
	Reason string `json:"reason"`
}

// changed loads the mapping again and finds the letters that the changes repair.
func (r *rules) changed(ctx context.Context, name string, done []tables.Change, tell inspect.Progress) (TableChange, error) {
	c := TableChange{Tenant: r.tenant.Name, Table: name, Changes: done, Repairs: []Repair{}}
	if err := r.inForce(ctx); err != nil {
		return c, fmt.Errorf("%d rows were changed; which letters that repairs is not known: %w", len(done), err)
	}
	if t := r.mapping.Table(name); t != nil && len(done) == 1 {
		own, known := t.Lookup(done[0].Word)
		if c.Removed() && known {
			cells := tables.Of(own)
			c.Own = &cells
		}
		if !c.Removed() {
			if seen := merged(t, done[0].Word, *done[0].After, false); seen.String() != done[0].After.String() {
				c.Seen = &seen
			}
		}
	}
	if err := r.repairs(ctx, &c, tell); err != nil {
		return c, fmt.Errorf("which letters are repaired: %w", err)
	}
	return c, nil
}

// repairs tries every open letter that the mapping could not do when it died.
func (r *rules) repairs(ctx context.Context, c *TableChange, tell inspect.Progress) error {
	about := aboutChanged(c.Changes)
	f := deadletter.Filter{Tenant: r.tenant.Name, Stage: events.Handle, Kind: events.Unmapped}
	return r.letters(ctx, f, tell, func(l deadletter.Open) error {
		event, err := inspect.RecordedOf(l)
		if err != nil {
			return nil //nolint:nilerr // what cannot be read cannot be repaired by a row
		}
		t := r.mapping.Try(event.Meta, event.Data, event.Bill)
		if t.Verdict == mapping.Failed {
			if len(t.Failures) > 0 && about(l) {
				c.Remaining = append(c.Remaining, Remaining{l.Number, l.Key, t.Failures[0].Reason})
			}
			return nil
		}
		waits, err := inspect.Waits(ctx, r.o.Bus, l)
		if err != nil {
			return err
		}
		c.Repairs = append(c.Repairs, Repair{Letter: l.Number, Noun: l.Noun, Order: l.Key, Word: l.Word, Rule: t.Rule, Waits: waits})
		return nil
	})
}

// aboutChanged finds the letters that a change was to repair: they died because the
// word was missing, or, where one row was changed, their event has it.
func aboutChanged(done []tables.Change) func(deadletter.Open) bool {
	words, quoted := map[string]bool{}, []byte(nil)
	for _, c := range done {
		words[c.Word] = true
	}
	if len(done) == 1 {
		quoted = []byte(strconv.Quote(done[0].Word))
	}
	return func(l deadletter.Open) bool {
		return l.Word != "" && words[l.Word] || quoted != nil && bytes.Contains(l.Event, quoted)
	}
}
