package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/textfile"
)

// ImportRequest asks to add the rows of a file to a table.
type ImportRequest struct {
	Decision
	TableRequest
	File string // its name, which says whether it is CSV or YAML
	Text []byte
}

// ImportRows adds the rows of a file whose columns are some or all of the table's.
func (a *Acts) ImportRows(ctx context.Context, r ImportRequest, tell inspect.Progress) (TableChange, error) {
	read, err := TableReader(r.File)
	if err != nil {
		return TableChange{}, err
	}
	given, err := read(r.File, r.Text)
	if err != nil {
		return TableChange{}, err
	}
	m, own, err := a.loadTable(ctx, r.TableRequest)
	if err != nil {
		return TableChange{}, err
	}
	given, err = under(r, given, own)
	if err != nil {
		return TableChange{}, err
	}
	list, err := m.news(ctx, r.Table, given, own)
	if err != nil {
		return TableChange{}, err
	}
	faults, warnings := m.mapping.CheckRows(r.Table, r.File, given)
	if len(faults) > 0 {
		return TableChange{}, faults
	}
	done, err := m.store.SetAll(ctx, m.tenant.Name, r.Table, list, tables.Act(r.Decision), func(n, of int) { tell("rows", uint64(n), uint64(of)) })
	if err != nil {
		return TableChange{}, fmt.Errorf("%w (%d of %d rows were changed; put that right and import again)", err, len(done), len(list))
	}
	change, err := m.changed(ctx, r.Table, done, tell)
	change.Warnings = append(given.Warnings(), warnings...)
	return change, err
}

// TableReader reads files of the kind that a file's name ends with.
func TableReader(file string) (func(file string, text []byte) (*table.Table, error), error) {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv":
		return table.ReadCSV, nil
	case ".yaml", ".yml":
		return table.ReadYAML, nil
	}
	return nil, refuse("%s is of no known kind; expected .csv, .yaml or .yml at its end", file)
}

// under is a file's rows under the table's columns' names: a file of words and texts
// has the table's only column.
func under(r ImportRequest, given, own *table.Table) (*table.Table, error) {
	columns := given.Columns()
	if only := own.Columns(); len(only) == 1 && slices.Equal(columns, []string{table.TextColumn}) {
		columns = only
	}
	for _, column := range columns {
		if !slices.Contains(own.Columns(), column) {
			return nil, fmt.Errorf("%s: table %s has no column %q; expected %s", r.File, r.Table, column, textfile.Choice(column, own.Columns()))
		}
	}
	return given.Under(columns), nil
}

// news are the rows that say something which the mapping's own table does not say
// already, and all for whose word operators have added one: a row that only repeats the
// file would hide the file's next edit.
func (r *rules) news(ctx context.Context, name string, given, own *table.Table) (list []tables.Write, err error) {
	added, err := r.store.List(ctx, r.tenant.Name, name)
	if err != nil && !errors.Is(err, tables.ErrBroken) {
		return nil, err
	}
	known := map[string]bool{}
	for _, e := range added {
		known[e.Word] = true
	}
	for _, word := range given.Keys() {
		row, _ := given.Lookup(word)
		if was, ok := own.Lookup(word); !ok || known[word] || !says(was, row) {
			list = append(list, tables.Write{Word: word, Cells: tables.Of(row)})
		}
	}
	return list, nil
}

// says reports whether a row has every value of another that is not empty.
func says(own, row table.Row) bool {
	return !slices.ContainsFunc(row.Columns(), func(column string) bool {
		value, _ := row.Column(column)
		has, _ := own.Column(column)
		return value != "" && value != has
	})
}

// TableRows are rows of a table with all its columns.
type TableRows struct {
	Word    string // what the column of the words is called; "" where the mapping does not say
	Columns []string
	Texts   bool // there is one column, and it has no name: the rows are words and texts
	Rows    []tables.Write
}

// CSV is the rows as a file that [Acts.ImportRows] and a mapping read back.
func (t TableRows) CSV() string {
	key := cmp.Or(t.Word, "word")
	for slices.Contains(t.Columns, key) {
		key = "_" + key
	}
	var b strings.Builder
	b.WriteString(table.CSVLine(append([]string{key}, t.Columns...)))
	for _, r := range t.Rows {
		b.WriteString(table.CSVLine(append([]string{r.Word}, r.Cells.Values...)))
	}
	return b.String()
}

// ExportRows are the rows of a table as look-ups see them, or those alone that
// operators have added. What can be read comes also with an error that is
// [tables.ErrBroken].
func (a *Acts) ExportRows(ctx context.Context, r TableRequest, addedOnly bool) (TableRows, error) {
	m, t, err := a.loadTable(ctx, r)
	if err != nil {
		return TableRows{}, err
	}
	list, broken := m.store.List(ctx, m.tenant.Name, r.Table)
	if broken != nil && !errors.Is(broken, tables.ErrBroken) {
		return TableRows{}, broken
	}
	added := map[string]tables.Cells{}
	var words []string
	if !addedOnly {
		words = t.Keys()
	}
	for _, e := range list {
		added[e.Word] = e.Cells
		if _, own := t.Lookup(e.Word); addedOnly || !own {
			words = append(words, e.Word)
		}
	}
	out := TableRows{Word: t.KeyColumn(), Columns: t.Columns(), Texts: slices.Equal(t.Columns(), []string{table.TextColumn}), Rows: make([]tables.Write, len(words))}
	for i, word := range words {
		out.Rows[i] = tables.Write{Word: word, Cells: merged(t, word, added[word], addedOnly)}
	}
	return out, broken
}

// merged is a row as a look-up sees it: an added cell first, then the table's own.
func merged(t *table.Table, word string, added tables.Cells, addedOnly bool) tables.Cells {
	own, _ := t.Lookup(word)
	c := tables.Cells{Columns: t.Columns(), Values: make([]string, len(t.Columns()))}
	for i, column := range c.Columns {
		if c.Values[i] = added.Column(column); c.Values[i] == "" && !addedOnly {
			c.Values[i], _ = own.Column(column)
		}
	}
	return c
}
