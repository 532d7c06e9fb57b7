package cli

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// newTable is a table as every subcommand shows it.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	if len(header) > 0 {
		t.AppendHeader(header)
	}
	return t
}

// wrapped breaks the text of a column at blanks.
func wrapped(column, width int) table.ColumnConfig {
	return table.ColumnConfig{Number: column, WidthMax: width, WidthMaxEnforcer: text.WrapSoft}
}

// counts aligns a column of numbers.
func counts(column int) table.ColumnConfig {
	return table.ColumnConfig{Number: column, Align: text.AlignRight}
}

// show writes a list as one JSON object a line, or as a text.
func show[T any](w io.Writer, asJSON bool, list []T, text func([]T) string) error {
	if asJSON {
		return jsonLines(w, list)
	}
	_, err := io.WriteString(w, text(list))
	return err
}

// each makes the text of a list of the texts of its members.
func each[T any](text func(T) string) func([]T) string {
	return func(list []T) string {
		all := ""
		for _, x := range list {
			all += text(x)
		}
		return all
	}
}

// jsonLines writes one JSON object a line.
func jsonLines[T any](w io.Writer, list []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, x := range list {
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func place(stream string, seq uint64) string {
	if stream == "" {
		return ""
	}
	return stream + " " + strconv.FormatUint(seq, 10)
}

// when is a time for a person, "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}
