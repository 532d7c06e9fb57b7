package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong in bridge.yaml.
type Fault struct {
	// File is the path as given to Load.
	File string
	// Line and Column count from 1; for something missing they are those of the section that lacks it.
	Line, Column int
	// Path is the setting, as in tenants[0].weiban.corp_id; "" for the file as a whole.
	Path string
	// Found says what stands there, Expected what should. Neither holds the value of a secret.
	Found, Expected string
	// Hint is the nearest right word, "" where there is none.
	Hint string
}

// Error is one line: file:line:column: path: found …, expected …; did you mean …?
func (f Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString("found " + f.Found)
	if f.Expected != "" {
		b.WriteString(", expected " + f.Expected)
	}
	if f.Hint != "" {
		b.WriteString("; did you mean " + f.Hint + "?")
	}
	return b.String()
}

// Faults is every fault of a file, in the file's order. It is what [Load] returns where the file
// could be read but not used.
type Faults []Fault

// Error is a line a fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

func (f Faults) sort() {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
}

// mark is a place in the file.
type mark struct{ line, column int }
