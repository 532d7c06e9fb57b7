package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/textfile"
)

// Row is an added row of a tenant's table.
type Row struct {
	Tenant string `json:"tenant"`
	tables.Entry
	Hides *tables.Cells `json:"hides,omitempty"` // what the mapping's own row says in its place
}

// TableRequest names a table of a tenant's mapping.
type TableRequest struct{ Tenant, Table string }

// Rows are the rows that operators have added to a table, or to all tables where none
// is named. What can be read comes also with an error that is [tables.ErrBroken].
func (a *Acts) Rows(ctx context.Context, r TableRequest) ([]Row, error) {
	tenants, err := a.Tenants(r.Tenant)
	if err != nil {
		return nil, err
	}
	var list []Row
	var broken error
	for _, t := range tenants {
		part, err := tables.NewStore(a.o.Bus, time.Now).List(ctx, t, r.Table)
		if err != nil && !errors.Is(err, tables.ErrBroken) {
			return nil, err
		}
		broken = errors.Join(broken, err)
		own := a.own(t)
		for _, e := range part {
			list = append(list, Row{t, e, hides(own, e)})
		}
	}
	if len(list) == 0 && broken == nil {
		broken = declared(a.o.Tenants, tenants, r.Table)
	}
	return list, broken
}

// own is a tenant's mapping as its files give it, nil if they have faults.
func (a *Acts) own(tenant string) *mapping.Mapping {
	t, err := a.tenant(tenant)
	if err != nil {
		return nil
	}
	m, err := mapping.Load(t.Mapping, mapping.Options{})
	if err != nil {
		return nil //nolint:nilerr // the check of mappings names its faults
	}
	return m
}

// hides is what an added row hides of the mapping's own, nil for nothing.
func hides(m *mapping.Mapping, e tables.Entry) *tables.Cells {
	if m == nil || m.Table(e.Table) == nil {
		return nil
	}
	own, _ := m.Table(e.Table).Lookup(e.Word)
	row, ok := mapping.Hidden(own, table.NewRow(e.Columns, e.Values))
	if !ok {
		return nil
	}
	cells := tables.Of(row)
	return &cells
}

// declared tells a table without added rows from one that was misspelt. Mappings with
// faults are not asked.
func declared(all []Tenant, tenants []string, name string) error {
	var known []string
	for _, t := range all {
		if name == "" || !slices.Contains(tenants, t.Name) {
			continue
		}
		m, err := mapping.Load(t.Mapping, mapping.Options{})
		if err != nil || m.Table(name) != nil {
			return nil //nolint:nilerr // the check of mappings names its faults
		}
		known = append(known, m.Tables()...)
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("no mapping declares a table %q; expected %s", name, textfile.Choice(name, known))
}

// Columns are those of a table, its word apart.
func (a *Acts) Columns(ctx context.Context, r TableRequest) ([]string, error) {
	_, t, err := a.loadTable(ctx, r)
	if err != nil {
		return nil, err
	}
	return t.Columns(), nil
}

// RowRequest says what a row of a table is to be.
type RowRequest struct {
	Decision
	TableRequest
	Word  string
	Cells map[string]string // by column; a column that is missing keeps what operators have added to it
}

// SetRow adds or changes a row.
func (a *Acts) SetRow(ctx context.Context, r RowRequest, tell inspect.Progress) (TableChange, error) {
	m, t, err := a.loadTable(ctx, r.TableRequest)
	if err != nil {
		return TableChange{}, err
	}
	for name, value := range r.Cells {
		switch {
		case !slices.Contains(t.Columns(), name):
			return TableChange{}, refuse("table %s has no column %q; expected %s", r.Table, name, textfile.Choice(name, t.Columns()))
		case table.Rounded(value):
			return TableChange{}, refuse("%s: a number that a spreadsheet has rounded; expected all digits", strconv.Quote(value))
		}
	}
	warnings, err := m.checkRow(r, t)
	if err != nil {
		return TableChange{}, err
	}
	done, err := m.store.Edit(ctx, m.tenant.Name, r.Table, r.Word, func(was tables.Cells) (tables.Cells, error) {
		c := tables.Cells{Columns: t.Columns(), Values: make([]string, len(t.Columns()))}
		for i, name := range c.Columns {
			value, given := r.Cells[name]
			if c.Values[i] = value; !given {
				c.Values[i] = was.Column(name)
			}
		}
		return c, nil
	}, tables.Act(r.Decision))
	if err != nil {
		return TableChange{}, err
	}
	list := []tables.Change{done}
	if done.After == nil { // it said so already
		list = nil
	}
	change, err := m.changed(ctx, r.Table, list, tell)
	change.Warnings = warnings
	return change, err
}

// checkRow refuses what the word and the cells cannot be.
func (r *rules) checkRow(q RowRequest, t *table.Table) (warnings textfile.Faults, err error) {
	var columns, values []string
	for _, name := range t.Columns() {
		if value, given := q.Cells[name]; given {
			columns, values = append(columns, name), append(values, table.Clean(value))
		}
	}
	faults, warnings := r.mapping.CheckRows(q.Table, "table "+q.Table, table.Single(q.Word, columns, values))
	if len(faults) > 0 {
		return nil, refuse("%s", faults)
	}
	return warnings, nil
}

// UnsetRow takes an added row away, so that the mapping's own table answers again. A
// mapping with faults keeps it from telling what that repairs, not from doing it.
func (a *Acts) UnsetRow(ctx context.Context, r RowRequest, tell inspect.Progress) (TableChange, error) {
	m, err := a.of(r.Tenant)
	if err != nil {
		return TableChange{}, err
	}
	done, err := m.store.Unset(ctx, m.tenant.Name, r.Table, r.Word, tables.Act(r.Decision))
	if errors.Is(err, tables.ErrNoRow) {
		err = m.noRow(ctx, r.Table, r.Word, err)
	}
	if err != nil {
		return TableChange{}, err
	}
	return m.changed(ctx, r.Table, []tables.Change{done}, tell)
}

// noRow names the row that was meant in place of one that operators have not added.
func (r *rules) noRow(ctx context.Context, name, word string, cause error) error {
	if r.inForce(ctx) != nil {
		return cause // the mapping cannot be asked
	}
	t, err := r.table(name)
	if err != nil {
		return err
	}
	if _, own := t.Lookup(word); own {
		return fmt.Errorf("%w among those that operators have added; the mapping's own is changed in its file", cause)
	}
	list, err := r.store.List(ctx, r.tenant.Name, name)
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
