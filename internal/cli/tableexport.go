package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/tables"
)

type tableExportCmd struct {
	Table  string `arg:"" help:"The table, as the mapping declares it."`
	Format string `enum:"csv,yaml,json" default:"csv" help:"csv, yaml or json (${default})."`
	Added  bool   `help:"Only what operators have added."`
	Tenant string `help:"The tenant; needed where several are configured."`
	JSON   bool   `name:"json" help:"As --format json: one JSON object a row."`
}

func (c tableExportCmd) Run(ctx context.Context, s *session) error {
	t, broken := s.ExportRows(ctx, operate.TableRequest{Tenant: c.Tenant, Table: c.Table}, c.Added)
	if broken != nil && !errors.Is(broken, tables.ErrBroken) {
		return broken
	}
	write := map[string]func(io.Writer, operate.TableRows) error{"csv": exportCSV, "yaml": exportYAML, "json": exportJSON}[c.Format]
	if c.JSON {
		write = exportJSON
	}
	return errors.Join(write(s.out, t), broken)
}

func exportJSON(w io.Writer, t operate.TableRows) error {
	type line struct {
		Word string            `json:"word"`
		Row  map[string]string `json:"row"`
	}
	list := make([]line, len(t.Rows))
	for i, r := range t.Rows {
		list[i] = line{r.Word, map[string]string{}}
		for k, column := range r.Cells.Columns {
			list[i].Row[column] = r.Cells.Values[k]
		}
	}
	return jsonLines(w, list)
}

func exportCSV(w io.Writer, t operate.TableRows) error {
	_, err := io.WriteString(w, t.CSV())
	return err
}

// longestKey is how long a key may be that YAML finds by its colon alone.
const longestKey = 1000

// exportYAML writes every text in quotes: 0123 must stay text for every reader.
func exportYAML(w io.Writer, t operate.TableRows) error {
	for _, r := range t.Rows {
		value := ""
		if t.Texts {
			value = strconv.Quote(r.Cells.Values[0])
		} else {
			cells := make([]string, len(r.Cells.Columns))
			for i, column := range r.Cells.Columns {
				cells[i] = strconv.Quote(column) + ": " + strconv.Quote(r.Cells.Values[i])
			}
			value = "{" + strings.Join(cells, ", ") + "}"
		}
		word := strconv.Quote(r.Word)
		if len(word) > longestKey {
			word = "? " + word + "\n"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", word, value); err != nil {
			return err
		}
	}
	return nil
}
