package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"gongdan-bridge/internal/textfile"
)

// bounds are wide: a table may have been exported from another system.
func bounds() textfile.Bounds { return textfile.Bounds{Bytes: 64 << 20, Nodes: 64 << 20} }

// ReadCSV reads a table from CSV in UTF-8: a header line, then a row a line, the
// first column being the key. Every cell stays text, white space around it is
// dropped, blank lines and lines that begin with # are skipped; [Table.Warnings]
// names the skipped lines that look like rows. The error is a [textfile.Faults]
// that names file, line and column of everything at once.
func ReadCSV(file string, b []byte) (*Table, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	c := &csvReader{src: b, line: 1, Reader: textfile.NewReader(file, bounds()), t: &Table{rows: map[string][]string{}}, lines: map[string]int{}}
	if !c.open() {
		return nil, c.Faults.Err()
	}
	for c.next() {
		c.row()
	}
	if c.t.Len() == 0 && c.Faults.Empty() {
		c.fault(1, 0, "the table has no rows", "a header line and at least one row")
	}
	if err := c.Faults.Err(); err != nil {
		return nil, err
	}
	c.t.lines = c.lines
	c.t.warnings = textfile.Of(c.skipped.Err())
	return c.t, nil
}

type csvReader struct {
	*textfile.Reader
	src    []byte
	r      *csv.Reader
	record []string
	width  int // cells of a full row
	t      *Table
	lines  map[string]int // key → line, for duplicates

	skipped textfile.List // lines that begin with # and look like rows
	counted int64         // offset in src up to which lines are counted
	line    int           // the line at that offset
}

func (c *csvReader) fault(line, column int, message, expected string) {
	c.Faults.Add(textfile.Fault{File: c.File, Line: line, Column: column, Message: message, Expected: expected})
}

// faultAt reports a fault of one cell of the present record.
func (c *csvReader) faultAt(cell int, message, expected string) {
	line, column := c.r.FieldPos(cell)
	c.fault(line, column, message, expected)
}

// open looks at the bytes and reads the header.
func (c *csvReader) open() bool {
	if !c.Sound(c.src) {
		return false
	}
	c.r = csv.NewReader(bytes.NewReader(c.src))
	c.r.FieldsPerRecord, c.r.ReuseRecord, c.r.Comment = -1, false, '#'
	if !c.next() {
		if c.Faults.Empty() {
			c.fault(1, 0, "the file is empty", "a header line such as staff_id,emp,dept")
		}
		return false
	}
	return c.header()
}

func (c *csvReader) header() bool {
	for i, name := range c.record {
		c.record[i] = Clean(name)
	}
	c.width = len(c.record)
	if c.width < 2 {
		message := "the header has one column only"
		if strings.ContainsAny(c.record[0], ";\t，") {
			message = "the columns are not separated by commas"
		}
		c.faultAt(0, message, "the key's column and at least one more, separated by commas")
		return false
	}
	seen := map[string]bool{}
	for i, name := range c.record {
		switch {
		case name == "":
			c.faultAt(i, fmt.Sprintf("column %d has no name", i+1), "a name for every column")
		case strings.Contains(name, "，"):
			c.faultAt(i, fmt.Sprintf("column %q holds a full-width comma", name), textfile.InHalfWidth(","))
		case seen[name]:
			c.faultAt(i, fmt.Sprintf("column %q stands twice", name), "")
		}
		seen[name] = true
	}
	c.t.key, c.t.columns = c.record[0], c.record[1:]
	return true
}

// next reads a record; false at the end and at what is not CSV.
func (c *csvReader) next() bool {
	var err error
	begin := c.r.InputOffset()
	c.record, err = c.r.Read()
	if c.width > 0 {
		c.comments(begin)
	}
	if err == nil {
		return true
	}
	var bad *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
	case errors.As(err, &bad):
		c.fault(bad.Line, bad.Column, "not CSV: "+bad.Err.Error(), `a cell with a quote, comma or line break in "double quotes"`)
	default:
		c.fault(0, 0, "not CSV: "+err.Error(), "")
	}
	return false
}

func (c *csvReader) row() {
	blank := true
	for i, cell := range c.record {
		c.record[i] = Clean(cell)
		blank = blank && c.record[i] == ""
		if Rounded(c.record[i]) {
			c.faultAt(i, fmt.Sprintf("%s is a number that a spreadsheet has rounded", c.record[i]), "all digits: format the column as text")
		}
	}
	if blank {
		return
	}
	line, _ := c.r.FieldPos(0)
	key := c.record[0]
	first, twice := c.lines[key]
	switch {
	case key == "":
		c.faultAt(0, "the row has no key", fmt.Sprintf("a value under %q", c.t.key))
		return
	case len(c.record) != c.width:
		c.faultAt(0, fmt.Sprintf("row %q has %d cells", key, len(c.record)), fmt.Sprintf("%d, as in the header", c.width))
		return
	case twice:
		c.faultAt(0, fmt.Sprintf("key %q stands twice", key), fmt.Sprintf("one row a key; the other is on line %d", first))
		return
	}
	c.lines[key] = line
	c.t.rows[key] = c.record[1:]
	c.t.order = append(c.t.order, key)
}
