// Package table holds the word lists of a mapping: which Kingdee id stands for
// which Weiban staff member, cause or result.
//
// It reads them from CSV and YAML, where an ERP code such as 0123 stays the text
// that it is, and answers look-ups. It refuses what would silently be wrong: a
// key that stands twice, a cell that a spreadsheet has rounded, a file that is
// not UTF-8. The mapping calls it; it knows nobody.
package table

import (
	"slices"

	"gongdan-bridge/internal/textfile"
)

// Tables answers look-ups by a table's name and a row's key. The files beside a
// mapping are one; the table that operators fill while the bridge runs is
// another, laid over it.
type Tables interface {
	// Lookup is the row of that key, false if there is none. It must be safe for
	// concurrent use and quick: it is asked in the middle of a mapping.
	Lookup(table, key string) (Row, bool)
}

// Row is one row's values under their columns' names, in the table's order. The
// zero Row has none.
type Row struct{ columns, values []string }

// TextColumn names the only column of a row that is just a text.
const TextColumn = "value"

// NewRow pairs columns and values; values that are left out are empty.
func NewRow(columns, values []string) Row {
	v := make([]string, len(columns))
	copy(v, values)
	return Row{columns: slices.Clone(columns), values: v}
}

// Text is what the row says where no column is asked for: its first value.
func (r Row) Text() string {
	if len(r.values) == 0 {
		return ""
	}
	return r.values[0]
}

// Column is the value under that name; false if the row has no such column.
func (r Row) Column(name string) (string, bool) {
	for i, c := range r.columns {
		if c == name && i < len(r.values) {
			return r.values[i], true
		}
	}
	return "", false
}

// Columns is the row's column names in order.
func (r Row) Columns() []string { return slices.Clone(r.columns) }

// Equal reports whether both rows say the same under the same columns.
func (r Row) Equal(o Row) bool {
	return slices.Equal(r.columns, o.columns) && slices.Equal(r.values, o.values)
}

// Table is one table, unchanging once read and safe for concurrent use.
type Table struct {
	key     string   // what the key column is called, "" where the file does not say
	columns []string // without the key
	rows    map[string][]string
	order   []string // keys as they stand in the file
	lines   map[string]int

	warnings textfile.Faults
}

// Lookup is the row of that key, false if there is none.
func (t *Table) Lookup(key string) (Row, bool) {
	v, ok := t.rows[key]
	if !ok {
		return Row{}, false
	}
	return Row{columns: t.columns, values: v}, true
}

// KeyColumn is the name of the key column, "" in a YAML table.
func (t *Table) KeyColumn() string { return t.key }

// Columns is the table's columns without the key, in order.
func (t *Table) Columns() []string { return slices.Clone(t.columns) }

// Keys is every key in the file's order.
func (t *Table) Keys() []string { return slices.Clone(t.order) }

// Len is the number of rows.
func (t *Table) Len() int { return len(t.order) }

// Line is the line of the file on which a key's row begins, 0 where it is not known.
func (t *Table) Line(key string) int { return t.lines[key] }

// Warnings are the lines of the file that were skipped and look like rows.
func (t *Table) Warnings() textfile.Faults { return slices.Clone(t.warnings) }

// Set is tables by name.
type Set map[string]*Table

// Lookup makes a Set Tables.
func (s Set) Lookup(table, key string) (Row, bool) {
	t := s[table]
	if t == nil {
		return Row{}, false
	}
	return t.Lookup(key)
}

// Under is the same rows under other columns' names.
func (t *Table) Under(columns []string) *Table {
	u := *t
	u.columns = slices.Clone(columns)
	return &u
}

// Single is a table of one row.
func Single(key string, columns, values []string) *Table {
	t := New(columns)
	t.rows[key], t.order = slices.Clone(values), []string{key}
	return t
}

// Like is a key of a table that differs from key in form alone, "" if there is none.
func (s Set) Like(table, key string) string {
	t := s[table]
	if t == nil {
		return ""
	}
	return alike(key, slices.Values(t.order))
}

// New is a table without rows, to be filled by others while the bridge runs.
func New(columns []string) *Table {
	return &Table{columns: slices.Clone(columns), rows: map[string][]string{}}
}
