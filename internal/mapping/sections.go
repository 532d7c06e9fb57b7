package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/textfile"
)

// maxWait is the longest that an order may wait for its bill.
const maxWait = 30 * 24 * time.Hour

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sections reads the file's sections: tables before what asks them.
func (l *loader) sections(root *yaml.Node) {
	top, ok := l.Section(root, "", 0, "version", "bill", "otherwise", "tables", "rules")
	if !ok {
		return
	}
	l.version(root, top["version"])
	if n := top["otherwise"]; n != nil {
		w, _ := l.Choice(n, "otherwise", "ignore", "letter")
		l.m.letter = w == "letter"
	}
	if n := top["tables"]; n != nil {
		l.tables(n)
	}
	if n := top["rules"]; n != nil {
		l.rules(n, top["bill"])
	} else {
		l.Fault(root, "", `lacks "rules"`, "rules: with at least one rule")
	}
}

func (l *loader) version(root, n *yaml.Node) {
	if n == nil {
		l.Fault(root, "", `lacks "version"`, "version: 1")
		return
	}
	if n.Value != "1" {
		l.Fault(n, "version", "is "+textfile.Describe(n), "1")
	}
}

// tableName is what a table may be called: it becomes part of a bucket's key.
var tableName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_-]{0,63}$`)

func (l *loader) tables(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		l.Fault(n, "tables", "is "+textfile.Describe(n), "a mapping of name to {file: …} or {rows: …}")
		return
	}
	for _, p := range l.Pairs(n, "tables", 1) {
		name, where := p.Key.Value, "tables."+p.Key.Value
		if !tableName.MatchString(name) {
			l.Fault(p.Key, where, fmt.Sprintf("%q is no name for a table", name), "a letter, then at most 63 letters, digits, _ or -")
			continue
		}
		// A table with faults is known all the same, or every look-up would be one.
		l.m.tables[name] = l.table(p.Value, name, where)
	}
}

// table reads one table; nil where it has faults.
func (l *loader) table(n *yaml.Node, name, where string) *table.Table {
	s, ok := l.Section(n, where, 2, "file", "rows", "columns")
	if !ok {
		return nil
	}
	switch file, rows, columns := s["file"], s["rows"], s["columns"]; {
	case file != nil && rows != nil || columns != nil && (file != nil || rows != nil):
		l.Fault(n, where, "has several of file, rows and columns", "one of them")
	case file != nil:
		return l.tableFile(file, name, where+".file")
	case rows != nil:
		return table.FromNode(l.Reader, rows, where+".rows")
	case columns != nil:
		return l.emptyTable(columns, where+".columns")
	default:
		l.Fault(n, where, "is empty", "file: staff.csv, or rows:, or columns: of a table that is filled while the bridge runs")
	}
	return nil
}

func (l *loader) tableFile(n *yaml.Node, name, where string) *table.Table {
	path, ok := l.Word(n, where, "a CSV or YAML file beside the mapping")
	if !ok {
		return nil
	}
	path = l.beside(path)
	b, err := l.read(path)
	if err != nil {
		l.Fault(n, where, fmt.Sprintf("%s cannot be read: %s", path, cause(err)), "")
		return nil
	}
	l.m.files = append(l.m.files, path)
	l.m.tableFile[name] = path
	l.digest = append(l.digest, events.Hash(b)...)
	var t *table.Table
	switch lower := strings.ToLower(path); {
	case strings.HasSuffix(lower, ".csv"):
		t, err = table.ReadCSV(path, b)
	case strings.HasSuffix(lower, ".yaml"), strings.HasSuffix(lower, ".yml"):
		t, err = table.ReadYAML(path, b)
	default:
		l.Fault(n, where, fmt.Sprintf("%s is of no known kind", path), ".csv, .yaml or .yml at its end")
		return nil
	}
	l.Faults.Merge(textfile.Of(err))
	if t != nil {
		l.warnings.Merge(t.Warnings())
	}
	return t
}

func (l *loader) emptyTable(n *yaml.Node, where string) *table.Table {
	var columns []string
	for _, c := range n.Content {
		w, ok := l.Word(l.Resolve(c), where, "a column's name")
		switch {
		case !ok:
		case slices.Contains(columns, w):
			l.Fault(c, where, fmt.Sprintf("column %q stands twice", w), "it once")
		default:
			columns = append(columns, w)
		}
	}
	if n.Kind != yaml.SequenceNode || len(columns) == 0 {
		l.Fault(n, where, "is "+textfile.Describe(n), "a list of column names")
		return nil
	}
	return table.New(columns)
}

// columns tells expressions which tables there are. Of a table with faults there
// are no columns to tell: its own faults are enough.
func (l *loader) columns(name string) ([]string, bool) {
	t, ok := l.m.tables[name]
	if t == nil {
		return nil, ok
	}
	return t.Columns(), true
}

// billRule is how an order finds its bill.
type billRule struct {
	orderNo, id *expr.Program // one of them
	wait        time.Duration
	pattern     *regexp.Regexp // of the whole number; nil for none
	written     string         // the pattern as the file has it
}

func (l *loader) bill(n *yaml.Node, where string, noun events.Noun) *billRule {
	s, ok := l.Section(n, where, 2, "orderNo", "id", "wait", "pattern")
	if !ok {
		return nil
	}
	b := &billRule{}
	switch number, id := s["orderNo"], s["id"]; {
	case number != nil && id != nil:
		l.Fault(id, where, "has both orderNo and id", "one of them")
	case number != nil:
		b.orderNo = l.billExpr(number, where+".orderNo", noun)
	case id != nil:
		b.id = l.billExpr(id, where+".id", noun)
	default:
		l.Fault(n, where, "says neither orderNo nor id", "orderNo: ${…} or id: ${…}")
	}
	if n := s["wait"]; n != nil {
		b.wait = l.wait(n, where+".wait")
	}
	if n := s["pattern"]; n != nil && s["id"] != nil {
		l.Fault(n, where+".pattern", "stands beside id, which is digits", "orderNo, or no pattern")
	} else if n != nil {
		l.pattern(n, where+".pattern", b)
	}
	return b
}

func (l *loader) pattern(n *yaml.Node, where string, b *billRule) {
	const expected = "a regular expression (RE2) of the whole number, such as fwgs-[0-9]{8}-[0-9]{8}"
	w, ok := l.Word(n, where, expected)
	if !ok {
		return
	}
	re, err := regexp.Compile("^(?:" + w + ")$")
	if err != nil {
		l.Fault(n, where, fmt.Sprintf("%q is no regular expression", textfile.Shorten(w)), expected)
		return
	}
	b.pattern, b.written = re, w
}

func (l *loader) billExpr(n *yaml.Node, where string, noun events.Noun) *expr.Program {
	const expected = `an expression such as ${component("金蝶工单号")}`
	if n.Kind != yaml.ScalarNode {
		l.Fault(n, where, "is "+textfile.Describe(n), expected)
		return nil
	}
	text, isExpr, ok := l.marked(n, where)
	if ok && !isExpr {
		l.Fault(n, where, "is "+textfile.Describe(n), expected)
	}
	if !ok || !isExpr {
		return nil
	}
	return l.compile(n, where, text, l.m.language.expr, l.spec(noun, false, expr.Text))
}

func (l *loader) spec(noun events.Noun, bill bool, kind expr.Kind) expr.Spec {
	return expr.Spec{Noun: noun, Bill: bill, Kind: kind, Columns: l.columns, Tables: sortedKeys(l.m.tables)}
}

func (l *loader) wait(n *yaml.Node, where string) time.Duration {
	w, ok := l.Word(n, where, "a duration such as 30m or 24h")
	if !ok {
		return 0
	}
	if w == "0" {
		return 0
	}
	d, err := time.ParseDuration(w)
	if err != nil || d < 0 || d > maxWait {
		l.Fault(n, where, fmt.Sprintf("%q is no time to wait", w), "a duration such as 30m or 24h, at most 720h")
		return 0
	}
	return d
}
