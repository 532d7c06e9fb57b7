// Package tables keeps the rows that operators add to a mapping's tables while
// the bridge runs: in bucket TABLES, under <tenant>.<table>.<word>, each tenant's
// laid over the files of its mapping.
//
// Every change is compared with what was there when it was decided, and stands
// in the audit with who, when, before and after. It refuses a row that could not
// be looked up: one without a word, or without a value. It knows no mapping: which
// tables and columns there are is the caller's to check. The dispatcher reads it
// through [Live]; the commands `mapping table` and the sandbox write it through
// [Store].
package tables

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/table"
)

// Bucket is where the rows lie.
const Bucket = "TABLES"

// Bounds of a row.
const (
	MaxWord    = 300 // bytes of the word that is looked up
	MaxColumns = 50
	MaxRow     = 16 << 10 // bytes of all cells
)

// What a caller may be told.
var (
	ErrNoRow = errors.New("no such row")
	ErrRace  = errors.New("somebody has changed the row meanwhile; look at it and say it again")
	ErrRow   = errors.New("not a row")
)

// Cells are a row's values under their columns' names. An empty cell says
// nothing: the look-up goes on to the mapping's own table.
type Cells struct {
	Columns []string `json:"columns"`
	Values  []string `json:"values"`
}

// Text is the only cell of a row that is just a text.
func Text(s string) Cells { return Cells{Columns: []string{table.TextColumn}, Values: []string{s}} }

// Of takes over a row of a mapping's table.
func Of(r table.Row) Cells {
	c := Cells{Columns: r.Columns()}
	for _, name := range c.Columns {
		v, _ := r.Column(name)
		c.Values = append(c.Values, v)
	}
	return c
}

// Column is the value under a name, "" if there is none.
func (c Cells) Column(name string) string {
	if i := slices.Index(c.Columns, name); i >= 0 && i < len(c.Values) {
		return c.Values[i]
	}
	return ""
}

// String is the cells for a person: column=value, or the text alone.
func (c Cells) String() string {
	if len(c.Columns) == 1 && c.Columns[0] == table.TextColumn && len(c.Values) == 1 {
		return c.Values[0]
	}
	parts := make([]string, 0, len(c.Columns))
	for i, name := range c.Columns {
		if i < len(c.Values) {
			parts = append(parts, name+"="+c.Values[i])
		}
	}
	return strings.Join(parts, " ")
}

func (c Cells) equal(d Cells) bool {
	return slices.Equal(c.Columns, d.Columns) && slices.Equal(c.Values, d.Values)
}

func (c Cells) size() int {
	n := 0
	for _, s := range [][]string{c.Columns, c.Values} {
		for _, x := range s {
			n += len(x)
		}
	}
	return n
}

// check says why a row could not be looked up.
func (c Cells) check() error {
	switch {
	case len(c.Columns) == 0 || len(c.Columns) != len(c.Values) || len(c.Columns) > MaxColumns:
		return fmt.Errorf("%w: %d columns and %d values", ErrRow, len(c.Columns), len(c.Values))
	case c.size() > MaxRow:
		return fmt.Errorf("%w: more than %d bytes", ErrRow, MaxRow)
	case !slices.ContainsFunc(c.Values, func(v string) bool { return v != "" }):
		return fmt.Errorf("%w: every value is empty", ErrRow)
	}
	for i, name := range c.Columns {
		if name == "" || slices.Index(c.Columns, name) != i {
			return fmt.Errorf("%w: column %d has no name or one that stands twice", ErrRow, i+1)
		}
	}
	for _, s := range slices.Concat(c.Columns, c.Values) {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%w: a cell is not UTF-8 text on one line", ErrRow)
		}
	}
	return nil
}

// Row is a row as the bucket holds it.
type Row struct {
	Cells
	Who string    `json:"who"`
	At  time.Time `json:"at"`
}

// Entry is a row with its place.
type Entry struct {
	Table    string `json:"table"`
	Word     string `json:"word"`
	Revision uint64 `json:"revision"`
	Row
}

// errStranger is what is in the bucket and no row of ours.
var errStranger = errors.New("not a row's entry")

// place is a row's key.
func place(tenant, name, word string) string {
	return events.Token(tenant) + "." + events.Token(name) + "." + events.Token(word)
}

// wordOf reads a row's key.
func wordOf(key string) (name, word string, err error) {
	parts := strings.Split(key, ".")
	if len(parts) != 3 {
		return "", "", errStranger
	}
	if name, err = events.Untoken(parts[1]); err == nil {
		word, err = events.Untoken(parts[2])
	}
	return name, word, err
}

func decode(key string, value []byte, revision uint64) (Entry, error) {
	e := Entry{Revision: revision}
	var err error
	if e.Table, e.Word, err = wordOf(key); err == nil {
		err = json.Unmarshal(value, &e.Row)
	}
	if err == nil {
		err = e.check()
	}
	if err != nil {
		return Entry{}, fmt.Errorf("row %s: %w", key, err)
	}
	return e, nil
}
