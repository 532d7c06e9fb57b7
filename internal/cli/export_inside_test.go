package cli

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/tables"
)

// TestExportIsReadBack: what export writes, import reads back, for every text that a
// table can hold.
func TestExportIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[#"', \r\n:\\x{feff}\x{3000}0123漏油-]{0,8}`))
		columns := [][]string{{table.TextColumn}, {"emp"}, {"emp", "dept"}, {"word", "备注"}}[rapid.IntRange(0, 3).Draw(t, "columns")]
		var src strings.Builder
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			cells := make([]string, len(columns))
			for i, c := range columns {
				cells[i] = strconv.Quote(c) + ": " + strconv.Quote(strings.ToValidUTF8(text.Draw(t, "cell"), "?"))
			}
			fmt.Fprintf(&src, "? %s\n: {%s}\n", strconv.Quote(strings.ToValidUTF8(text.Draw(t, "word"), "?")), strings.Join(cells, ", "))
		}
		own, err := table.ReadYAML("x.yaml", []byte(src.String()))
		if err != nil {
			t.Skip(err)
		}
		rows := operate.TableRows{Columns: columns, Texts: columns[0] == table.TextColumn}
		for _, word := range own.Keys() {
			row, _ := own.Lookup(word)
			rows.Rows = append(rows.Rows, tables.Write{Word: word, Cells: tables.Of(row)})
		}
		var csv, yaml bytes.Buffer
		if err := exportCSV(&csv, rows); err != nil {
			t.Fatal(err)
		}
		if err := exportYAML(&yaml, rows); err != nil {
			t.Fatal(err)
		}
		fromCSV, err := table.ReadCSV("x.csv", csv.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, csv.Bytes())
		}
		fromYAML, err := table.ReadYAML("x.yaml", yaml.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, yaml.Bytes())
		}
		want := contents(own)
		if diff := cmp.Diff(want, contents(fromCSV)); diff != "" {
			t.Fatalf("CSV: %s\n%q", diff, csv.String())
		}
		if diff := cmp.Diff(want, contents(fromYAML)); diff != "" {
			t.Fatalf("YAML: %s\n%q", diff, yaml.String())
		}
	})
}

func contents(t *table.Table) (all []string) {
	for _, word := range t.Keys() {
		row, _ := t.Lookup(word)
		all = append(all, fmt.Sprintf("%q %q", word, tables.Of(row)))
	}
	return all
}
