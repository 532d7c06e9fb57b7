package table

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"

	"gongdan-bridge/internal/textfile"
)

// comments looks at the lines that were skipped at an offset: one that begins with #
// and has as many cells as the header may be a row whose word begins with #.
func (c *csvReader) comments(begin int64) {
	for begin < int64(len(c.src)) {
		line, _, _ := bytes.Cut(c.src[begin:], []byte("\n"))
		switch text := bytes.TrimRight(line, "\r"); {
		case len(text) > 0 && text[0] == '#':
			c.comment(begin, string(text))
		case len(text) > 0:
			return // the record that was read
		}
		begin += int64(len(line)) + 1
	}
}

func (c *csvReader) comment(at int64, text string) {
	r := csv.NewReader(strings.NewReader(text))
	r.LazyQuotes = true
	cells, err := r.Read()
	if err != nil || len(cells) != c.width {
		return
	}
	for i, cell := range cells {
		cells[i] = Clean(cell)
	}
	if Clean(strings.TrimLeft(cells[0], "#")) == c.t.key && slices.Equal(cells[1:], c.t.columns) {
		return // the header once more, as `mapping suggest` writes it
	}
	c.line += bytes.Count(c.src[c.counted:at], []byte("\n"))
	c.counted = at
	c.skipped.Add(textfile.Fault{
		File: c.File, Line: c.line, Column: 1,
		Message:  "the line begins with # and is skipped, but has as many cells as the header",
		Expected: `the word in "quotes" if it is a row`,
	})
}
