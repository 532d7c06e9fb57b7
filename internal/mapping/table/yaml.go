package table

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/textfile"
)

// ReadYAML reads a table from YAML: a mapping of key to text, or of key to a
// mapping of column to text. Every scalar is taken as it is written, so that
// 0123 stays 0123. The error is a [textfile.Faults].
func ReadYAML(file string, b []byte) (*Table, error) {
	r := textfile.NewReader(file, bounds())
	root := r.Document(b, rowForm)
	if root == nil {
		return nil, r.Faults.Err()
	}
	t := FromNode(r, root, "")
	return t, r.Faults.Err()
}

const rowForm = "key: text, a row a line"

// FromNode reads a table from a part of a YAML document, as [ReadYAML] does; nil
// where it has faults.
func FromNode(r *textfile.Reader, n *yaml.Node, where string) *Table {
	y := &yamlReader{r: r, where: where, t: New(nil), lines: map[string]int{}, good: true}
	n = r.Resolve(n)
	switch {
	case n.Kind != yaml.MappingNode:
		y.fault(n, "is "+textfile.Describe(n), "a mapping: key: text, or key: {column: text}")
	case len(n.Content) == 0:
		y.fault(n, "the table has no rows", rowForm)
	default:
		for i := 0; i+1 < len(n.Content); i += 2 {
			y.row(n.Content[i], r.Resolve(n.Content[i+1]))
		}
	}
	if !y.good {
		return nil
	}
	y.t.lines = y.lines
	return y.t
}

type yamlReader struct {
	r     *textfile.Reader
	where string
	t     *Table
	lines map[string]int
	good  bool
}

func (y *yamlReader) fault(n *yaml.Node, message, expected string) {
	y.good = false
	y.r.Fault(n, y.where, message, expected)
}

func (y *yamlReader) row(k, v *yaml.Node) {
	key := Clean(k.Value)
	if k.Kind != yaml.ScalarNode || key == "" {
		y.fault(k, "a row's key is a text", "")
		return
	}
	if Rounded(key) {
		y.fault(k, fmt.Sprintf("%s is a number that a spreadsheet has rounded", key), "all digits")
		return
	}
	if first, twice := y.lines[key]; twice {
		y.fault(k, fmt.Sprintf("key %q stands twice", key), fmt.Sprintf("one row a key; the other is on line %d", first))
		return
	}
	y.lines[key] = k.Line
	y.t.rows[key] = y.values(key, v)
	y.t.order = append(y.t.order, key)
}

// values is one row's values under the table's columns, which the first row
// gives.
func (y *yamlReader) values(key string, v *yaml.Node) []string {
	if v.Kind != yaml.MappingNode {
		if len(y.t.columns) > 0 && y.t.columns[0] != TextColumn {
			y.fault(v, fmt.Sprintf("row %q has no columns", key), "the columns "+textfile.OneOf(y.t.columns))
			return nil
		}
		y.t.columns = []string{TextColumn}
		return []string{y.text(key, v)}
	}
	if len(y.t.columns) == 0 {
		for i := 0; i+1 < len(v.Content); i += 2 {
			y.t.columns = append(y.t.columns, v.Content[i].Value)
		}
	}
	return y.cells(key, v)
}

func (y *yamlReader) cells(key string, v *yaml.Node) []string {
	values, seen := make([]string, len(y.t.columns)), map[string]bool{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		name := v.Content[i].Value
		at := slices.Index(y.t.columns, name)
		switch {
		case at < 0:
			y.fault(v.Content[i], fmt.Sprintf("row %q has a column %q that the first row has not", key, name), textfile.Choice(name, y.t.columns))
		case seen[name]:
			y.fault(v.Content[i], fmt.Sprintf("column %q stands twice", name), "")
		default:
			seen[name] = true
			values[at] = y.text(key, y.r.Resolve(v.Content[i+1]))
		}
	}
	return values
}

func (y *yamlReader) text(key string, n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		y.fault(n, fmt.Sprintf("a cell of row %q is not a text", key), "one text")
		return ""
	case n.ShortTag() == "!!null":
		return ""
	}
	text := Clean(n.Value)
	if Rounded(text) {
		y.fault(n, fmt.Sprintf("%s is a number that a spreadsheet has rounded", text), "all digits")
	}
	return text
}
