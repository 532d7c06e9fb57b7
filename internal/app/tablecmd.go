package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/tables"
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

// workbench is what the commands about one tenant's mapping work with.
type workbench struct {
	program Program
	globals *globals
	cfg     *config.Config
	tenant  config.Tenant
	bus     *bus.Bus
	store   *tables.Store
	rows    *tables.Live // as they were when the workbench was laid out
	mapping *mapping.Mapping
}

// withMapping gives a subcommand one tenant's mapping and tables as they are.
func withMapping(ctx context.Context, p Program, g *globals, tenant string, use func(*workbench) error) error {
	return withWorkbench(ctx, p, g, tenant, func(w *workbench) error {
		if err := w.load(ctx); err != nil {
			return err
		}
		return use(w)
	})
}

// withWorkbench gives it a workbench on which the mapping is not yet loaded.
func withWorkbench(ctx context.Context, p Program, g *globals, tenant string, use func(*workbench) error) error {
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		t, err := oneTenant(cfg, tenant)
		if err != nil {
			return err
		}
		return use(&workbench{program: p, globals: g, cfg: cfg, tenant: t, bus: b, store: tables.NewStore(b, time.Now)})
	})
}

// load reads rows and mapping anew.
func (w *workbench) load(ctx context.Context) (err error) {
	if w.rows, err = tables.NewLive(ctx, w.bus, w.tenant.Name, quiet(w.program.Stderr)); err != nil {
		return err
	}
	w.mapping, err = mapping.Load(w.tenant.Mapping, mapping.Options{Tables: w.rows})
	return err
}

// oneTenant is the tenant that was asked for, or the only one.
func oneTenant(cfg *config.Config, name string) (config.Tenant, error) {
	if name == "" && len(cfg.Tenants) == 1 {
		return cfg.Tenants[0], nil
	}
	var names []string
	for _, t := range cfg.Tenants {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return config.Tenant{}, fmt.Errorf("%w: --tenant is needed: %s", errUsage, textfile.OneOf(names))
	}
	return config.Tenant{}, fmt.Errorf("tenant %s is not configured; expected %s", name, textfile.Choice(name, names))
}

// declared is a table of the mapping.
func (w *workbench) declared(name string) (*table.Table, error) {
	if t := w.mapping.Table(name); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s declares no table %q; expected %s", w.mapping.File(), name, textfile.Choice(name, w.mapping.Tables()))
}

// decision is who decides, and why.
type decision struct {
	Who    string `help:"Who decides; kept in the audit (default: the user that runs this)."`
	Reason string `help:"Why; kept in the audit."`
}

func (d decision) act() tables.Act {
	if d.Who == "" {
		d.Who = whoami()
	}
	return tables.Act{Who: d.Who, Reason: d.Reason}
}

type tableListCmd struct {
	Table  string `arg:"" optional:"" help:"Only this table."`
	Tenant string `help:"Only this tenant."`
	JSON   bool   `name:"json" help:"One JSON object a row."`
}

// listedRow is a row with its tenant.
type listedRow struct {
	Tenant string `json:"tenant"`
	tables.Entry
}

func (c tableListCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		tenants, err := tenantsOf(cfg, c.Tenant)
		if err != nil {
			return err
		}
		var list []listedRow
		var broken error
		for _, t := range tenants {
			part, err := tables.NewStore(b, time.Now).List(ctx, t, c.Table)
			if err != nil && !errors.Is(err, tables.ErrBroken) {
				return err
			}
			broken = errors.Join(broken, err)
			for _, e := range part {
				list = append(list, listedRow{t, e})
			}
		}
		if len(list) == 0 && broken == nil {
			if err := declaredSomewhere(cfg, tenants, c.Table); err != nil {
				return err
			}
		}
		show := listRows
		if c.JSON {
			show = jsonLines[listedRow]
		}
		return errors.Join(show(p.Stdout, list), broken)
	})
}

// declaredSomewhere tells a table without added rows from one that was misspelt.
// Mappings with faults are not asked.
func declaredSomewhere(cfg *config.Config, tenants []string, name string) error {
	var known []string
	for _, t := range cfg.Tenants {
		if name == "" || !slices.Contains(tenants, t.Name) {
			continue
		}
		m, err := mapping.Load(t.Mapping, mapping.Options{})
		if err != nil || m.Table(name) != nil {
			return nil //nolint:nilerr // its faults are another command's to tell
		}
		known = append(known, m.Tables()...)
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("no mapping declares a table %q; expected %s", name, textfile.Choice(name, known))
}

func listRows(w io.Writer, list []listedRow) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "operators have added no rows")
		return err
	}
	t := pretty.NewWriter()
	t.SetStyle(pretty.StyleLight)
	t.AppendHeader(pretty.Row{"tenant", "table", "word", "row", "who", "when"})
	t.SetColumnConfigs([]pretty.ColumnConfig{{Number: 4, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
	for _, r := range list {
		t.AppendRow(pretty.Row{r.Tenant, r.Table, r.Word, r.String(), r.Who, when(r.At)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

type tableSetCmd struct {
	Table  string   `arg:"" help:"The table, as the mapping declares it."`
	Word   string   `arg:"" help:"The word that Weiban uses: a staff id, an option of a form."`
	Cells  []string `arg:"" name:"cell" help:"column=value, or the value alone where the table has one column. A column that is left out keeps what it says."`
	Tenant string   `help:"The tenant; needed where several are configured."`
	JSON   bool     `name:"json" help:"One JSON object."`
	decision
}

func (c tableSetCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withMapping(ctx, p, g, c.Tenant, func(w *workbench) error {
		t, err := w.declared(c.Table)
		if err != nil {
			return err
		}
		done, err := w.store.Edit(ctx, w.tenant.Name, c.Table, c.Word, func(was tables.Cells) (tables.Cells, error) {
			return readCells(c.Table, t.Columns(), was, c.Cells)
		}, c.act())
		if err != nil {
			return err
		}
		if done.After == nil {
			return w.changed(ctx, c.Table, nil, c.JSON)
		}
		return w.changed(ctx, c.Table, []tables.Change{done}, c.JSON)
	})
}

// readCells reads the cells of a command line into a table's columns, over what
// operators had added before.
func readCells(name string, columns []string, was tables.Cells, args []string) (tables.Cells, error) {
	c := tables.Cells{Columns: columns, Values: make([]string, len(columns))}
	for i, column := range columns {
		c.Values[i] = was.Column(column)
	}
	given := map[int]bool{}
	for _, arg := range args {
		i, value, err := readCell(name, columns, arg)
		switch {
		case err != nil:
			return c, err
		case given[i]:
			return c, fmt.Errorf("%w: %s: column %s is given twice", errUsage, strconv.Quote(arg), columns[i])
		case table.Rounded(value):
			return c, fmt.Errorf("%w: %s: a number that a spreadsheet has rounded; expected all digits", errUsage, strconv.Quote(arg))
		}
		given[i], c.Values[i] = true, value
	}
	return c, nil
}

// readCell is which column an argument names, and what that is to say. The value
// of an only column may stand alone, unless it looks like the column's name misspelt.
func readCell(name string, columns []string, arg string) (int, string, error) {
	column, value, named := strings.Cut(arg, "=")
	if i := slices.Index(columns, strings.TrimSpace(column)); named && i >= 0 {
		return i, strings.TrimSpace(value), nil
	}
	if len(columns) == 1 && (!named || textfile.Nearest(column, columns) == "") {
		return 0, strings.TrimSpace(arg), nil
	}
	expected := textfile.OneOf(columns)
	if !named && strings.Contains(arg, "＝") {
		expected = textfile.InHalfWidth("=")
	}
	return 0, "", fmt.Errorf("%w: %s: give column=value; table %s expects %s", errUsage, strconv.Quote(arg), name, expected)
}

type tableUnsetCmd struct {
	Table  string `arg:"" help:"The table."`
	Word   string `arg:"" help:"The word whose row is taken away."`
	Tenant string `help:"The tenant; needed where several are configured."`
	JSON   bool   `name:"json" help:"One JSON object."`
	decision
}

// Run needs no sound mapping to take the row away, only to say what that repairs.
func (c tableUnsetCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withWorkbench(ctx, p, g, c.Tenant, func(w *workbench) error {
		done, err := w.store.Unset(ctx, w.tenant.Name, c.Table, c.Word, c.act())
		if errors.Is(err, tables.ErrNoRow) {
			return w.noRow(ctx, c.Table, c.Word, err)
		}
		if err != nil {
			return err
		}
		return w.changed(ctx, c.Table, []tables.Change{done}, c.JSON)
	})
}

// noRow says what was meant by a row that operators have not added.
func (w *workbench) noRow(ctx context.Context, name, word string, cause error) error {
	if w.load(ctx) != nil {
		return cause // the mapping cannot be asked
	}
	t, err := w.declared(name)
	if err != nil {
		return err
	}
	if _, own := t.Lookup(word); own {
		return fmt.Errorf("%w among those that operators have added; the mapping's own is changed in its file", cause)
	}
	list, err := w.store.List(ctx, w.tenant.Name, name)
	if err != nil {
		return errors.Join(cause, err)
	}
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = e.Word
	}
	if near := textfile.Choice(word, words); near != "" {
		return fmt.Errorf("%w; expected %s", cause, near)
	}
	return cause
}
