// Package textfile reads the files that people write, in YAML and CSV: it keeps the
// place of every value and words every fault in one way, with the word that was
// meant.
//
// Configuration, mappings and their tables are read with it. They collect every
// fault of a file before they answer; the package knows no setting and no rule.
package textfile

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that a file gets wrong. Line and Column count from 1 in
// characters; 0 means the file as a whole.
type Fault struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Where    string `json:"where,omitempty"`    // path in the file, e.g. rules[1].body.wxztid
	Expr     string `json:"expr,omitempty"`     // the expression, where one is at fault
	Message  string `json:"message"`            // what is wrong
	Expected string `json:"expected,omitempty"` // the word or shape that was expected
}

// String is the fault in one line, in the form that editors jump to:
// file:line:column: where: message; expected …; in ${…}.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		b.WriteString(":" + strconv.Itoa(f.Line))
		if f.Column > 0 {
			b.WriteString(":" + strconv.Itoa(f.Column))
		}
	}
	b.WriteString(": ")
	if f.Where != "" {
		b.WriteString(f.Where + ": ")
	}
	b.WriteString(f.Message)
	if f.Expected != "" {
		b.WriteString("; expected " + f.Expected)
	}
	if f.Expr != "" {
		b.WriteString("; in ${" + oneLine(f.Expr) + "}")
	}
	return b.String()
}

// maxShown is how many characters of an expression a fault's line shows: line and
// column say where to look.
const maxShown = 200

func oneLine(s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return string(r)
}

// Faults is every fault of one load. It is an error.
type Faults []Fault

// Error is one line a fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// Of is the faults in err's chain, nil if it holds none.
func Of(err error) Faults {
	var f Faults
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// Limit is how many faults one List keeps: who has made more has made one of
// them many times.
const Limit = 200

// List collects faults. The zero List is ready.
type List struct {
	faults Faults
	more   int
}

// Add keeps f unless the same fault is kept already, as happens where two rules
// share a part by an anchor.
func (l *List) Add(f Fault) {
	same := func(x Fault) bool {
		return x.File == f.File && x.Line == f.Line && x.Column == f.Column && x.Message == f.Message
	}
	switch {
	case f.Line > 0 && slices.ContainsFunc(l.faults, same):
	case len(l.faults) >= Limit:
		l.more++
	default:
		l.faults = append(l.faults, f)
	}
}

// Merge adds every fault of fs.
func (l *List) Merge(fs Faults) {
	for _, f := range fs {
		l.Add(f)
	}
}

// Empty reports whether nothing was added.
func (l *List) Empty() bool { return len(l.faults) == 0 }

// Err is the faults in the order of their files and lines, nil if there are
// none.
func (l *List) Err() error {
	if l.Empty() {
		return nil
	}
	out := slices.Clone(l.faults)
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Where, b.Where))
	})
	if l.more > 0 {
		out = append(out, Fault{File: out[0].File, Message: "and " + strconv.Itoa(l.more) + " more faults"})
	}
	return out
}
