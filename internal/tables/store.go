package tables

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// The actions of the audit.
const (
	ActionSet     = "table_set"
	ActionUnset   = "table_unset"
	ActionRefused = "table_refused" // takes back the lines of one set or unset that lost a race
)

// Line is a line of the audit in stream AUDIT, under gongdan.<tenant>.audit.<action>.
// It is written before the rows are, so that no change is without a line; what
// was not changed after all follows in a line of [ActionRefused].
type Line struct {
	Action string    `json:"action"`
	Tenant string    `json:"tenant"`
	Who    string    `json:"who"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Table  string    `json:"table"`
	Rows   []Change  `json:"rows"`
}

// Change is one row's before and after.
type Change struct {
	Word     string `json:"word"`
	Before   *Row   `json:"before,omitempty"` // nil: there was none
	After    *Cells `json:"after,omitempty"`  // nil: it is taken away
	Revision uint64 `json:"revision"`         // of Before, 0 if there was none
}

// Act is who decides, and why.
type Act struct{ Who, Reason string }

// Write is one row that is to be.
type Write struct {
	Word  string
	Cells Cells
}

// Store is the rows of all tenants. It is safe for concurrent use and holds
// nothing in memory.
type Store struct {
	bus  *bus.Bus
	rows *bus.Bucket
	now  func() time.Time
}

// NewStore returns the store; now is the clock of rows and audit.
func NewStore(b *bus.Bus, now func() time.Time) *Store {
	return &Store{bus: b, rows: b.Bucket(Bucket), now: now}
}

// Get is one row; [ErrNoRow] if operators have added none.
func (s *Store) Get(ctx context.Context, tenant, name, word string) (Entry, error) {
	e, err := s.rows.Get(ctx, place(tenant, name, strings.TrimSpace(word)))
	if errors.Is(err, bus.ErrNotFound) {
		return Entry{}, fmt.Errorf("table %s, row %q: %w", name, word, ErrNoRow)
	}
	if err != nil {
		return Entry{}, err
	}
	return decode(e.Key, e.Value, e.Revision)
}

// All calls each for every row of a tenant's table ("" is all tables), from one
// goroutine, until it fails.
func (s *Store) All(ctx context.Context, tenant, name string, each func(Entry) error) error {
	prefix := events.Token(tenant)
	if name != "" {
		prefix += "." + events.Token(name)
	}
	return s.rows.Load(ctx, prefix, func(e bus.Entry) error {
		row, err := decode(e.Key, e.Value, e.Revision)
		if err != nil {
			return err
		}
		return each(row)
	})
}

// Set writes one row over what is there now; [ErrRace] if that changes meanwhile.
// A row that says the same already is left as it is: the Change's After is nil.
func (s *Store) Set(ctx context.Context, tenant, name string, w Write, act Act) (Change, error) {
	done, err := s.SetAll(ctx, tenant, name, []Write{w}, act, nil)
	if err != nil {
		return Change{}, err
	}
	if len(done) == 1 {
		return done[0], nil
	}
	e, err := s.Get(ctx, tenant, name, w.Word)
	return Change{Word: e.Word, Before: &e.Row, Revision: e.Revision}, err
}

// Unset takes one row away, so that the mapping's own table answers again;
// [ErrNoRow] if there is none, [ErrRace] if it changes meanwhile.
func (s *Store) Unset(ctx context.Context, tenant, name, word string, act Act) (Change, error) {
	e, err := s.Get(ctx, tenant, name, word)
	if err != nil {
		return Change{}, err
	}
	c := Change{Word: e.Word, Before: &e.Row, Revision: e.Revision}
	_, err = s.change(ctx, Line{Action: ActionUnset, Tenant: tenant, Table: name, Who: act.Who, Reason: act.Reason, Rows: []Change{c}})
	return c, err
}

// batch bounds the rows of one line of the audit, in number and bytes.
const (
	batchRows  = 200
	batchBytes = 128 << 10
)

// SetAll writes many rows, those alone that say something new, and gives what it
// changed. Many of them share a line of the audit. Where one row's race is lost
// the others are written. tell, if not nil, is told how far it has come.
func (s *Store) SetAll(ctx context.Context, tenant, name string, list []Write, act Act, tell func(done, of int)) ([]Change, error) {
	for i := range list {
		if list[i].Word = strings.TrimSpace(list[i].Word); list[i].Word == "" || len(list[i].Word) > MaxWord {
			return nil, fmt.Errorf("table %s, row %q: %w: the word has 1 to %d bytes", name, list[i].Word, ErrRow, MaxWord)
		}
		if err := list[i].Cells.check(); err != nil {
			return nil, fmt.Errorf("table %s, row %q: %w", name, list[i].Word, err)
		}
	}
	now, err := s.present(ctx, tenant, name, list)
	if err != nil {
		return nil, err
	}
	var done []Change
	var all error
	line := Line{Action: ActionSet, Tenant: tenant, Table: name, Who: act.Who, Reason: act.Reason}
	size := 0
	for i, w := range list {
		c := Change{Word: w.Word, After: &w.Cells}
		if e, ok := now[w.Word]; ok {
			c.Before, c.Revision = &e.Row, e.Revision
		}
		if c.Before == nil || !c.Before.equal(w.Cells) {
			line.Rows = append(line.Rows, c)
			size += 2*w.Cells.size() + len(w.Word)
		}
		if last := i == len(list)-1; len(line.Rows) > 0 && (last || len(line.Rows) == batchRows || size >= batchBytes) {
			written, err := s.change(ctx, line)
			done, all = append(done, written...), errors.Join(all, err)
			if err != nil && !errors.Is(err, ErrRace) {
				return done, all
			}
			line.Rows, size = nil, 0
		}
		if tell != nil {
			tell(i+1, len(list))
		}
	}
	return done, all
}

// present is what the rows to be written hold now: one is asked for, of many the
// whole table is read.
func (s *Store) present(ctx context.Context, tenant, name string, list []Write) (map[string]Entry, error) {
	now := map[string]Entry{}
	if len(list) > 1 {
		return now, s.All(ctx, tenant, name, func(e Entry) error { now[e.Word] = e; return nil })
	}
	for _, w := range list {
		e, err := s.Get(ctx, tenant, name, w.Word)
		if err == nil {
			now[w.Word] = e
		} else if !errors.Is(err, ErrNoRow) {
			return nil, err
		}
	}
	return now, nil
}

// change writes a line of the audit and then its rows, and gives those that it
// has written.
func (s *Store) change(ctx context.Context, line Line) (written []Change, all error) {
	line.At = s.now().UTC()
	if err := s.note(ctx, line); err != nil {
		return nil, err
	}
	failed := make([]error, len(line.Rows))
	var writers errgroup.Group
	writers.SetLimit(16)
	for i, c := range line.Rows {
		writers.Go(func() error {
			failed[i] = s.write(ctx, line, c)
			return nil
		})
	}
	_ = writers.Wait() // none of them says anything: the faults are in failed
	lost := line
	lost.Action, lost.Rows = ActionRefused, nil
	for i, err := range failed {
		switch {
		case err == nil:
			written = append(written, line.Rows[i])
		case errors.Is(err, bus.ErrExists), errors.Is(err, bus.ErrConflict):
			lost.Rows = append(lost.Rows, line.Rows[i])
			all = errors.Join(all, fmt.Errorf("table %s, row %q: %w", line.Table, line.Rows[i].Word, ErrRace))
		default:
			all = errors.Join(all, fmt.Errorf("table %s, row %q: %w", line.Table, line.Rows[i].Word, err))
		}
	}
	if len(lost.Rows) > 0 {
		all = errors.Join(all, s.note(ctx, lost))
	}
	return written, all
}

func (s *Store) write(ctx context.Context, line Line, c Change) error {
	key := place(line.Tenant, line.Table, c.Word)
	if c.After == nil {
		return s.rows.DeleteRevision(ctx, key, c.Revision)
	}
	data, err := json.Marshal(Row{Cells: *c.After, Who: line.Who, At: line.At})
	if err != nil {
		return err
	}
	if c.Revision == 0 {
		_, err = s.rows.Create(ctx, key, data)
		return err
	}
	_, err = s.rows.Update(ctx, key, data, c.Revision)
	return err
}

func (s *Store) note(ctx context.Context, line Line) error {
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("audit %s: %w", line.Action, err)
	}
	m := bus.Message{
		Subject: events.AuditSubject(line.Tenant, line.Action), ContentType: "application/json", Data: data,
		ID: line.Tenant + "/" + line.Action + "/" + cmp.Or(line.Table, "-") + "/" + rand.Text(),
	}
	if _, err := s.bus.Publish(ctx, m); err != nil {
		return fmt.Errorf("audit %s: %w", line.Action, err)
	}
	return nil
}
