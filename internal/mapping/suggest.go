package mapping

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/mapping/table"
)

// Staff is a Weiban staff member as the staff list has them.
type Staff struct{ ID, Name, Department string }

// Suggestion is a word that Weiban uses and a table lacks.
type Suggestion struct {
	Table      string `json:"table"`
	Key        string `json:"key"`
	Name       string `json:"name,omitempty"`       // of a staff member, where it is known
	Department string `json:"department,omitempty"` // of that staff member
	Component  string `json:"component,omitempty"`  // the form component that offers the option
	Seen       int    `json:"seen"`                 // in how many events; 0 where only the staff list has it
}

// Suggestions collects the words that events and the staff list use. Which table
// wants which words is read from the mapping's own look-ups. It serves one
// goroutine.
type Suggestions struct {
	m       *Mapping
	staff   map[string]*Suggestion            // by staff id
	options map[string]map[string]*Suggestion // by component, then answer
}

// maxSuggestions bounds how many words are kept.
const maxSuggestions = 50_000

// NewSuggestions begins to collect for m.
func NewSuggestions(m *Mapping) *Suggestions {
	s := &Suggestions{m: m, staff: map[string]*Suggestion{}, options: map[string]map[string]*Suggestion{}}
	for _, u := range m.Uses() {
		if u.Component != "" {
			s.options[u.Component] = map[string]*Suggestion{}
		}
	}
	return s
}

// Uses lists every question that the mapping's expressions ask a table, once.
func (m *Mapping) Uses() []expr.Use {
	var out []expr.Use
	visit := func(p *expr.Program) {
		if p == nil {
			return
		}
		for _, u := range p.Uses {
			if !slices.Contains(out, u) {
				out = append(out, u)
			}
		}
	}
	for _, r := range m.rules {
		visit(r.when)
		visit(r.bill.orderNo)
		visit(r.bill.id)
		r.body.programs(visit)
	}
	return out
}

// AddStaff takes a member of the staff list.
func (s *Suggestions) AddStaff(x Staff) {
	if x.ID == "" {
		return
	}
	w := s.person(x.ID, x.Name)
	if w != nil && x.Department != "" {
		w.Department = x.Department
	}
}

func (s *Suggestions) person(id, name string) *Suggestion {
	if id == "" {
		return nil
	}
	w := s.staff[id]
	if w == nil {
		if len(s.staff) >= maxSuggestions {
			return nil
		}
		w = &Suggestion{Key: id}
		s.staff[id] = w
	}
	w.Name = cmp.Or(w.Name, name)
	return w
}

// Add takes the staff and the answers of one event.
func (s *Suggestions) Add(in *Input) {
	seen := map[string]string{string(in.Callback.StaffID): "", string(in.Callback.HandlerID): ""}
	note := func(id, name string) { seen[id] = cmp.Or(seen[id], name) }
	if w := in.WorkOrder; w != nil {
		note(string(w.CreatorID), string(w.CreatorName))
		note(string(w.HandlerID), string(w.HandlerName))
		note(string(w.LastHandlerID), string(w.LastHandlerName))
		for i := range w.ProcessingFlows {
			r := &w.ProcessingFlows[i]
			note(string(r.CreatorID), string(r.CreatorName))
			note(string(r.HandlerID), string(r.HandlerName))
			note(string(r.ToID), string(r.ToName))
		}
	}
	if o := in.Opportunity; o != nil {
		note(string(o.StaffExtID), string(o.Staff.Name))
	}
	for id, name := range seen {
		if w := s.person(id, name); w != nil {
			w.Seen++
		}
	}
	for component, words := range s.options {
		answers, err := in.Answers(component)
		if err != nil {
			continue // this order's form does not ask it
		}
		for _, a := range answers {
			w := words[a]
			if w == nil {
				if len(words) >= maxSuggestions {
					continue
				}
				w = &Suggestion{Key: a, Component: component}
				words[a] = w
			}
			w.Seen++
		}
	}
}

// Missing lists what the tables lack, a table after the other, the words that
// were seen most first. What operators have added counts as there.
func (s *Suggestions) Missing() []Suggestion {
	var out []Suggestion
	known := map[string]bool{}
	take := func(tableName string, w *Suggestion) {
		if id := tableName + "\x00" + w.Key; !known[id] && !s.m.knows(tableName, w.Key) {
			known[id] = true
			x := *w
			x.Table = tableName
			out = append(out, x)
		}
	}
	for _, u := range s.m.Uses() {
		if u.Staff {
			for _, w := range s.staff {
				take(u.Table, w)
			}
		}
		for _, w := range s.options[u.Component] {
			take(u.Table, w)
		}
	}
	slices.SortFunc(out, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), -cmp.Compare(a.Seen, b.Seen), cmp.Compare(a.Key, b.Key))
	})
	return out
}

func (m *Mapping) knows(name, key string) bool {
	if m.overlay != nil {
		if _, ok := m.overlay.Lookup(name, key); ok {
			return true
		}
	}
	_, ok := m.tables.Lookup(name, key)
	return ok
}

// WriteLines writes suggestions as lines that are ready to be filled in and
// pasted: in CSV or YAML, as the table's own file is, a comment saying who or
// what each is.
func (m *Mapping) WriteLines(w io.Writer, list []Suggestion) error {
	last := ""
	for _, s := range list {
		if s.Table != last {
			last = s.Table
			if _, err := fmt.Fprintf(w, "# table %s%s\n%s", s.Table, m.fileNote(s.Table), m.headerNote(s.Table)); err != nil {
				return fmt.Errorf("write suggestions: %w", err)
			}
		}
		if _, err := io.WriteString(w, m.line(s)); err != nil {
			return fmt.Errorf("write suggestions: %w", err)
		}
	}
	return nil
}

func (m *Mapping) fileNote(name string) string {
	if f := m.tableFile[name]; f != "" {
		return " (" + f + ")"
	}
	return ""
}

// headerNote is the header of a table in CSV, so that its cells can be told apart.
func (m *Mapping) headerNote(name string) string {
	t := m.tables[name]
	if t == nil || t.KeyColumn() == "" {
		return ""
	}
	return "# " + table.CSVLine(append([]string{t.KeyColumn()}, t.Columns()...))
}

func (s Suggestion) note() string {
	parts := []string{s.Name, s.Department}
	if s.Component != "" {
		parts = append(parts, "answer to "+s.Component)
	}
	if s.Seen > 0 {
		parts = append(parts, "seen "+strconv.Itoa(s.Seen)+"×")
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	return strings.Join(strings.Fields(strings.Join(parts, " · ")), " ")
}

func (m *Mapping) line(s Suggestion) string {
	t := m.tables[s.Table]
	if t == nil || t.KeyColumn() == "" {
		return yamlLine(t, s)
	}
	cells := []string{s.Key}
	for _, c := range t.Columns() {
		cells = append(cells, s.cell(c))
	}
	line := table.CSVLine(cells)
	if note := s.note(); note != "" {
		line = "# " + note + "\n" + line
	}
	return line
}

// cell fills a column that is plainly for the reader.
func (s Suggestion) cell(column string) string {
	switch strings.ToLower(column) {
	case "name", "姓名", "名称":
		return s.Name
	case "department", "部门", "部门名称":
		return s.Department
	}
	return ""
}

func yamlLine(t *table.Table, s Suggestion) string {
	value := `""`
	if t != nil && (len(t.Columns()) > 1 || t.Columns()[0] != table.TextColumn) {
		cells := make([]string, len(t.Columns()))
		for i, c := range t.Columns() {
			cells[i] = strconv.Quote(c) + ": " + strconv.Quote(s.cell(c))
		}
		value = "{" + strings.Join(cells, ", ") + "}"
	}
	line := strconv.Quote(s.Key) + ": " + value
	if note := s.note(); note != "" {
		line += " # " + note
	}
	return line + "\n"
}
