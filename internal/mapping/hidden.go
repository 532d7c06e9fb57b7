package mapping

import (
	"fmt"

	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/textfile"
)

// Hidden is what an added row hides of a table's own: the columns in which the own row
// says something else. False if it hides nothing.
func Hidden(own, added table.Row) (table.Row, bool) {
	var columns, values []string
	for _, name := range added.Columns() {
		over, _ := added.Column(name)
		under, _ := own.Column(name)
		if over != "" && under != "" && over != under {
			columns, values = append(columns, name), append(values, under)
		}
	}
	return table.NewRow(columns, values), len(columns) > 0
}

// edited warns of rows that were changed in the files since old and that rows of
// operators hide.
func (m *Mapping) edited(old *Mapping) {
	if old == nil || m.overlay == nil {
		return
	}
	var hidden textfile.List
	for _, name := range m.Tables() {
		t, before := m.tables[name], old.tables[name]
		for _, key := range t.Keys() {
			added, ok := m.overlay.Lookup(name, key)
			if !ok {
				continue
			}
			own, _ := t.Lookup(key)
			was := table.Row{}
			if before != nil {
				was, _ = before.Lookup(key)
			}
			if _, hides := Hidden(own, added); hides && !own.Equal(was) {
				hidden.Add(textfile.Fault{
					File: m.fileOf(name), Line: t.Line(key),
					Message:  fmt.Sprintf("row %q of table %s was edited, but the row that operators have added hides it", textfile.Shorten(key), name),
					Expected: "dispatcher mapping table unset " + name + " and the word",
				})
			}
		}
	}
	m.warnings = append(m.warnings, textfile.Of(hidden.Err())...)
}

// fileOf is the file that holds a table.
func (m *Mapping) fileOf(name string) string {
	if file := m.tableFile[name]; file != "" {
		return file
	}
	return m.file
}
