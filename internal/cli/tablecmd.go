package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/textfile"
)

// tableCmd is `dispatcher mapping table`.
type tableCmd struct {
	List   tableListCmd   `cmd:"" help:"List the rows that operators have added to a mapping's tables."`
	Set    tableSetCmd    `cmd:"" help:"Add or change a row while the bridge runs, and list the dead letters that it repairs."`
	Unset  tableUnsetCmd  `cmd:"" help:"Take an added row away, so that the mapping's own table answers again, and list the dead letters that this repairs."`
	Import tableImportCmd `cmd:"" help:"Add the rows of a CSV or YAML file, and list the dead letters that they repair."`
	Export tableExportCmd `cmd:"" help:"Print a table as CSV or YAML, with what operators have added."`
}

type tableListCmd struct {
	Table  string `arg:"" optional:"" help:"Only this table."`
	Tenant string `help:"Only this tenant."`
	JSON   bool   `name:"json" help:"One JSON object a row."`
}

func (c tableListCmd) Run(ctx context.Context, s *session) error {
	list, broken := s.Rows(ctx, operate.TableRequest{Tenant: c.Tenant, Table: c.Table})
	if broken != nil && len(list) == 0 {
		return broken
	}
	return errors.Join(show(s.out, c.JSON, list, rowsText), broken)
}

func rowsText(list []operate.Row) string {
	if len(list) == 0 {
		return "operators have added no rows\n"
	}
	t := newTable("tenant", "table", "word", "row", "who", "when")
	t.SetColumnConfigs([]table.ColumnConfig{wrapped(4, 60)})
	for _, r := range list {
		row := r.String()
		if r.Hides != nil {
			row += " (hides the mapping's own: " + r.Hides.String() + ")"
		}
		t.AppendRow(table.Row{r.Tenant, r.Table, r.Word, row, r.Who, when(r.At)})
	}
	return t.Render() + "\n"
}

// tableArgs are what every change of a table is told.
type tableArgs struct {
	Table  string `arg:"" help:"The table, as the mapping declares it."`
	Tenant string `help:"The tenant; needed where several are configured."`
	JSON   bool   `name:"json" help:"One JSON object."`
	Reason string `help:"Why; kept in the audit."`
	decider
}

func (c tableArgs) table() operate.TableRequest {
	return operate.TableRequest{Tenant: c.Tenant, Table: c.Table}
}

type tableSetCmd struct {
	tableArgs
	Word  string   `arg:"" help:"The word that Weiban uses: a staff id, an option of a form."`
	Cells []string `arg:"" name:"cell" help:"column=value, or the value alone where the table has one column. A column that is left out keeps what it says."`
}

func (c tableSetCmd) Run(ctx context.Context, s *session) error {
	columns, err := s.Columns(ctx, c.table())
	if err != nil {
		return err
	}
	r := operate.RowRequest{Decision: c.decides(c.Reason), TableRequest: c.table(), Word: c.Word}
	if r.Cells, err = readCells(c.Table, columns, c.Cells); err != nil {
		return err
	}
	done, err := s.SetRow(ctx, r, s.bar.at)
	return c.tell(s, done, err)
}

// readCells reads the cells of a command line, by column.
func readCells(name string, columns, args []string) (map[string]string, error) {
	cells := map[string]string{}
	for _, arg := range args {
		column, value, err := readCell(name, columns, arg)
		if err != nil {
			return nil, err
		}
		if _, given := cells[column]; given {
			return nil, misused("%s: column %s is given twice", strconv.Quote(arg), column)
		}
		cells[column] = value
	}
	return cells, nil
}

// readCell is which column an argument names, and what that is to say. The value
// of an only column may stand alone, unless it looks like the column's name misspelt.
func readCell(name string, columns []string, arg string) (column, value string, err error) {
	column, value, named := strings.Cut(arg, "=")
	if column = strings.TrimSpace(column); named && slices.Contains(columns, column) {
		return column, strings.TrimSpace(value), nil
	}
	if len(columns) == 1 && (!named || textfile.Nearest(column, columns) == "") {
		return columns[0], strings.TrimSpace(arg), nil
	}
	expected := textfile.OneOf(columns)
	if !named && strings.Contains(arg, "＝") {
		expected = textfile.InHalfWidth("=")
	}
	return "", "", misused("%s: give column=value; table %s expects %s", strconv.Quote(arg), name, expected)
}

type tableUnsetCmd struct {
	tableArgs
	Word string `arg:"" help:"The word whose row is taken away."`
}

func (c tableUnsetCmd) Run(ctx context.Context, s *session) error {
	done, err := s.UnsetRow(ctx, operate.RowRequest{Decision: c.decides(c.Reason), TableRequest: c.table(), Word: c.Word}, s.bar.at)
	return c.tell(s, done, err)
}

type tableImportCmd struct {
	tableArgs
	File string `arg:"" help:"CSV or YAML, by its name; the columns are some or all of the table's."`
}

// Validate refuses a file of an unknown kind before it is opened.
func (c tableImportCmd) Validate() error {
	_, err := operate.TableReader(c.File)
	return err
}

func (c tableImportCmd) Run(ctx context.Context, s *session) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	r := operate.ImportRequest{Decision: c.decides(c.Reason), TableRequest: c.table(), File: c.File, Text: text}
	done, err := s.ImportRows(ctx, r, s.bar.at)
	return c.tell(s, done, err)
}
