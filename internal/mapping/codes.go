package mapping

import (
	"fmt"
	"regexp"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/textfile"
)

// codeColumn is a column of a table whose cells become a code of handle-order: an id, a
// letter.
type codeColumn struct{ table, column string }

// results checks what the expressions of a body may give, before any event has come: the
// constants of their branches, and the columns that they look up.
func (l *ruleReader) results(body *part, where string) {
	body.each(func(p *part) {
		if p.prg == nil {
			return
		}
		for _, x := range p.prg.Results {
			s := p.shape.member(x.Member)
			switch {
			case s == nil || !s.exact:
			case x.Use.Table != "":
				l.code(codeColumn{x.Use.Table, x.Use.Column}, s)
			case x.Text != "" && !s.fitsText(x.Text): // "" asks for a letter
				x.Message, x.Expected = fmt.Sprintf("%s cannot be %q", s.label(lastName(p.field)), textfile.Shorten(x.Text)), s.takes
				l.Faults.Add(l.fault(p.node, join(where, p.field), p.prg.Source, x.Issue))
			}
		}
	})
}

// member is the shape of the value itself, or of a member of the object, or of a list's
// objects; nil if there is none.
func (s *shape) member(name string) *shape {
	switch {
	case name == "" && s.kind == expr.Text:
		return s
	case name != "" && s.kind == expr.List:
		return s.item.members[name]
	case name != "":
		return s.members[name]
	}
	return nil
}

// code checks the cells of a column once.
func (l *loader) code(c codeColumn, s *shape) {
	t := l.m.tables[c.table]
	if t == nil {
		return // its own faults are enough
	}
	if columns := t.Columns(); c.column == "" && len(columns) > 0 {
		c.column = columns[0]
	}
	if l.m.codes[c] != nil {
		return
	}
	l.m.codes[c] = s
	faults, warnings := s.cells(l.m.fileOf(c.table), t, c.column)
	l.Faults.Merge(faults)
	l.warnings.Merge(warnings)
}

// CheckRows finds the cells of rows that are to be added to a table and that could not
// be what they feed: an id that a spreadsheet has spoilt.
func (m *Mapping) CheckRows(name, file string, rows *table.Table) (faults, warnings Faults) {
	for _, column := range rows.Columns() {
		if s := m.codes[codeColumn{name, column}]; s != nil {
			wrong, odd := s.cells(file, rows, column)
			faults, warnings = append(faults, wrong...), append(warnings, odd...)
		}
	}
	return faults, warnings
}

// cells are the cells of a column that the shape does not take, and the ids that end as
// those do of which a spreadsheet has kept fifteen digits.
func (s *shape) cells(file string, t *table.Table, column string) (faults, warnings Faults) {
	var cut Faults
	long := 0
	for _, key := range t.Keys() {
		row, _ := t.Lookup(key)
		cell, _ := row.Column(column)
		f := textfile.Fault{File: file, Line: t.Line(key), Expected: s.takes}
		switch {
		case cell == "":
		case !s.fitsText(cell):
			f.Message = fmt.Sprintf("%s of row %q cannot be %q", column, textfile.Shorten(key), textfile.Shorten(cell))
			faults = append(faults, f)
		case len(cell) > kept && s.fitsText(longID):
			if long++; zeros.MatchString(cell) {
				f.Message = fmt.Sprintf("%s of row %q is %s: fifteen digits and zeros, as a spreadsheet rounds a long number", column, textfile.Shorten(key), cell)
				f.Expected = "all digits: format the column as text"
				cut = append(cut, f)
			}
		}
	}
	// One id in ten thousand ends so by chance; in a column that a spreadsheet has rounded, all do.
	if len(cut) > 1 && 2*len(cut) >= long {
		return append(faults, cut...), nil
	}
	return faults, cut
}

// kept is how many digits of a number a spreadsheet keeps.
const kept = 15

// longID is what every id takes, and no other code.
const longID = "12345678901234567890"

var zeros = regexp.MustCompile(`^[0-9]{15}0{3,}$`)
