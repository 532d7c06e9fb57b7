package app

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/textfile"
)

type tableImportCmd struct {
	Table  string `arg:"" help:"The table, as the mapping declares it."`
	File   string `arg:"" help:"CSV or YAML, by its name; the columns are some or all of the table's."`
	Tenant string `help:"The tenant; needed where several are configured."`
	JSON   bool   `name:"json" help:"One JSON object."`
	decision
}

func (c tableImportCmd) Run(ctx context.Context, p Program, g *globals) error {
	t, err := readTable(c.File)
	if err != nil {
		return err
	}
	return withMapping(ctx, p, g, c.Tenant, func(w *workbench) error {
		own, err := w.declared(c.Table)
		if err != nil {
			return err
		}
		list, err := writesOf(c, t, own)
		if err != nil {
			return err
		}
		bar := newBar(p.Stderr)
		done, err := w.store.SetAll(ctx, w.tenant.Name, c.Table, list, c.act(), func(n, of int) { bar.at("rows", uint64(n), uint64(of)) })
		bar.end()
		if err != nil {
			return fmt.Errorf("%w (%d of %d rows were changed; put that right and import again)", err, len(done), len(list))
		}
		return w.changed(ctx, c.Table, done, c.JSON)
	})
}

// writesOf is a file's rows for a table: under its columns' names, or, of a file of
// words and texts, under the table's only column.
func writesOf(c tableImportCmd, t, own *table.Table) ([]tables.Write, error) {
	columns := t.Columns()
	if only := own.Columns(); len(only) == 1 && slices.Equal(columns, []string{table.TextColumn}) {
		columns = only
	}
	for _, column := range columns {
		if !slices.Contains(own.Columns(), column) {
			return nil, fmt.Errorf("%s: table %s has no column %q; expected %s", c.File, c.Table, column, textfile.Choice(column, own.Columns()))
		}
	}
	var list []tables.Write
	for _, word := range t.Keys() {
		row, _ := t.Lookup(word)
		cells := tables.Of(row)
		cells.Columns = columns
		list = append(list, tables.Write{Word: word, Cells: cells})
	}
	return list, nil
}

func readTable(file string) (*table.Table, error) {
	parse := map[string]func(string, []byte) (*table.Table, error){
		".csv": table.ReadCSV, ".yaml": table.ReadYAML, ".yml": table.ReadYAML,
	}[strings.ToLower(filepath.Ext(file))]
	if parse == nil {
		return nil, fmt.Errorf("%w: %s is of no known kind; expected .csv, .yaml or .yml at its end", errUsage, file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parse(file, b)
}

type tableExportCmd struct {
	Table  string `arg:"" help:"The table, as the mapping declares it."`
	Format string `enum:"csv,yaml,json" default:"csv" help:"csv, yaml or json (${default})."`
	Added  bool   `help:"Only what operators have added."`
	Tenant string `help:"The tenant; needed where several are configured."`
	JSON   bool   `name:"json" help:"As --format json: one JSON object a row."`
}

func (c tableExportCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withMapping(ctx, p, g, c.Tenant, func(w *workbench) error {
		t, err := w.declared(c.Table)
		if err != nil {
			return err
		}
		list, broken := w.store.List(ctx, w.tenant.Name, c.Table)
		if broken != nil && !errors.Is(broken, tables.ErrBroken) {
			return broken
		}
		added := map[string]tables.Cells{}
		var words []string
		if !c.Added {
			words = t.Keys()
		}
		for _, e := range list {
			added[e.Word] = e.Cells
			if _, own := t.Lookup(e.Word); c.Added || !own {
				words = append(words, e.Word)
			}
		}
		rows := make([]tables.Write, len(words))
		for i, word := range words {
			rows[i] = tables.Write{Word: word, Cells: merged(t, word, added[word], c.Added)}
		}
		if c.JSON {
			c.Format = "json"
		}
		return errors.Join(export(p.Stdout, c.Format, t, rows), broken)
	})
}

// merged is a row as a look-up sees it: an added cell first, then the table's own.
func merged(t *table.Table, word string, added tables.Cells, alone bool) tables.Cells {
	own, _ := t.Lookup(word)
	c := tables.Cells{Columns: t.Columns(), Values: make([]string, len(t.Columns()))}
	for i, column := range c.Columns {
		if c.Values[i] = added.Column(column); c.Values[i] == "" && !alone {
			c.Values[i], _ = own.Column(column)
		}
	}
	return c
}

func export(w io.Writer, format string, t *table.Table, rows []tables.Write) error {
	switch format {
	case "json":
		type line struct {
			Word string            `json:"word"`
			Row  map[string]string `json:"row"`
		}
		var list []line
		for _, r := range rows {
			l := line{Word: r.Word, Row: map[string]string{}}
			for i, column := range r.Cells.Columns {
				l.Row[column] = r.Cells.Values[i]
			}
			list = append(list, l)
		}
		return jsonLines(w, list)
	case "yaml":
		return exportYAML(w, t, rows)
	}
	key := t.KeyColumn()
	if key == "" {
		key = "word"
	}
	out := csv.NewWriter(w)
	lines := [][]string{append([]string{key}, t.Columns()...)}
	for _, r := range rows {
		lines = append(lines, append([]string{r.Word}, r.Cells.Values...))
	}
	return out.WriteAll(lines)
}

// exportYAML writes every text in quotes: 0123 must stay text for every reader.
func exportYAML(w io.Writer, t *table.Table, rows []tables.Write) error {
	plain := len(t.Columns()) == 1 && t.Columns()[0] == table.TextColumn
	for _, r := range rows {
		value := ""
		if plain {
			value = strconv.Quote(r.Cells.Values[0])
		} else {
			cells := make([]string, len(r.Cells.Columns))
			for i, column := range r.Cells.Columns {
				cells[i] = strconv.Quote(column) + ": " + strconv.Quote(r.Cells.Values[i])
			}
			value = "{" + strings.Join(cells, ", ") + "}"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", strconv.Quote(r.Word), value); err != nil {
			return err
		}
	}
	return nil
}
