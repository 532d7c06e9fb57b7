// Package tables keeps the rows that operators add to a mapping's tables while
// the bridge runs: in bucket TABLES, each tenant's laid over the files of its
// mapping.
//
// A table lies there in [Shards] entries, <tenant>.<table>.<00 to 63>, each one
// JSON document of the rows whose words fall to it, so that a large table is read
// and imported in a few messages. An entry that this program cannot read stops
// nobody: it is passed over, named, and never written over.
//
// Every change is compared with what was there when it was decided, and stands
// in the audit with who, when, before and after. It refuses a row that could not
// be looked up: one without a word, or without a value. It knows no mapping: which
// tables and columns there are is the caller's to check. The dispatcher reads it
// through [Live]; the commands `mapping table` and the sandbox write it through
// [Store].
package tables

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
	// ErrBroken: an entry of the bucket cannot be read: a stranger's, or one that a
	// newer program has written. The error names its key and nothing of its content.
	ErrBroken = errors.New("not readable as rows of a table")
	// ErrLarge: a shard would be larger than the server takes. Nothing was changed.
	ErrLarge = errors.New("too many or too long rows")
)

// Cells are a row's values under their columns' names. An empty cell says
// nothing: the look-up goes on to the mapping's own table.
type Cells struct {
	Columns []string `json:"columns"`
	Values  []string `json:"values"`
}

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

// clean is the cells as a file of a table keeps them.
func (c Cells) clean() Cells {
	values := make([]string, len(c.Values))
	for i, v := range c.Values {
		values[i] = table.Clean(v)
	}
	return Cells{Columns: c.Columns, Values: values}
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
	if err := checkColumns(c.Columns); err != nil {
		return err
	}
	return checkValues(c.Columns, c.Values)
}

func checkColumns(columns []string) error {
	if len(columns) == 0 || len(columns) > MaxColumns {
		return fmt.Errorf("%w: %d columns; it has 1 to %d", ErrRow, len(columns), MaxColumns)
	}
	for i, name := range columns {
		if name == "" || slices.Index(columns, name) != i {
			return fmt.Errorf("%w: column %d has no name or one that stands twice", ErrRow, i+1)
		}
	}
	return checkTexts(columns)
}

func checkValues(columns, values []string) error {
	switch {
	case len(columns) != len(values):
		return fmt.Errorf("%w: %d columns and %d values", ErrRow, len(columns), len(values))
	case Cells{columns, values}.size() > MaxRow:
		return fmt.Errorf("%w: more than %d bytes", ErrRow, MaxRow)
	case !slices.ContainsFunc(values, func(v string) bool { return v != "" }):
		return fmt.Errorf("%w: every value is empty", ErrRow)
	}
	return checkTexts(values)
}

func checkTexts(list []string) error {
	for _, s := range list {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%w: a cell is not UTF-8 text on one line", ErrRow)
		}
	}
	return nil
}

func checkWord(word string) error {
	if word == "" || len(word) > MaxWord || strings.TrimSpace(word) != word {
		return fmt.Errorf("%w: the word has 1 to %d bytes", ErrRow, MaxWord)
	}
	return checkTexts([]string{word})
}

// Row is a row as the bucket holds it.
type Row struct {
	Cells
	Who string    `json:"who"`
	At  time.Time `json:"at"`
}

func (r Row) equal(o Row) bool {
	return r.Cells.equal(o.Cells) && r.Who == o.Who && r.At.Equal(o.At)
}

// Entry is a row with its place.
type Entry struct {
	Table string `json:"table"`
	Word  string `json:"word"`
	Row
}
