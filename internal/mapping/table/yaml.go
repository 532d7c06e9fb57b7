package table

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/textfile"
)

// ReadYAML reads a table from YAML: a mapping of key to text, or of key to a
// mapping of column to text. Every scalar is taken as it is written, so that
// 0123 stays 0123. The error is a [textfile.Faults].
func ReadYAML(file string, b []byte) (*Table, error) {
	if len(b) > MaxFile || !utf8.Valid(b) {
		return nil, textfile.Faults{{File: file, Message: "the file is too large or not UTF-8"}}
	}
	var doc yaml.Node
	if err := yaml.Load(b, &doc); err != nil {
		return nil, textfile.Faults{textfile.YAML(file, err)}
	}
	if len(doc.Content) == 0 {
		return nil, textfile.Faults{{File: file, Line: 1, Message: "the table has no rows", Expected: "key: text, a row a line"}}
	}
	return FromNode(file, doc.Content[0])
}

// FromNode reads a table from a part of a YAML document, as [ReadYAML] does.
func FromNode(file string, n *yaml.Node) (*Table, error) {
	y := &yamlReader{file: file, t: &Table{rows: map[string][]string{}}, lines: map[string]int{}}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		y.fault(n, "a table is a mapping", "key: text, or key: {column: text}")
		return nil, y.faults.Err()
	}
	if len(n.Content) == 0 {
		y.fault(n, "the table has no rows", "key: text, a row a line")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		y.row(n.Content[i], resolve(n.Content[i+1]))
	}
	if err := y.faults.Err(); err != nil {
		return nil, err
	}
	return y.t, nil
}

type yamlReader struct {
	file   string
	t      *Table
	lines  map[string]int
	faults textfile.List
}

func (y *yamlReader) fault(n *yaml.Node, message, expected string) {
	y.faults.Add(textfile.Fault{File: y.file, Line: n.Line, Column: n.Column, Message: message, Expected: expected})
}

func (y *yamlReader) row(k, v *yaml.Node) {
	key := trim(k.Value)
	if k.Kind != yaml.ScalarNode || key == "" {
		y.fault(k, "a row's key is a text", "")
		return
	}
	if first, twice := y.lines[key]; twice {
		y.fault(k, fmt.Sprintf("key %q stands twice", key), fmt.Sprintf("one row a key; the other is on line %d", first))
		return
	}
	y.lines[key] = k.Line
	values, ok := y.values(key, v)
	if !ok {
		return
	}
	y.t.rows[key] = values
	y.t.order = append(y.t.order, key)
}

// values is one row's values under the table's columns, which the first row
// gives.
func (y *yamlReader) values(key string, v *yaml.Node) ([]string, bool) {
	if v.Kind != yaml.MappingNode {
		if len(y.t.columns) > 0 && y.t.columns[0] != TextColumn {
			y.fault(v, fmt.Sprintf("row %q has no columns", key), "the columns "+textfile.OneOf(y.t.columns))
			return nil, false
		}
		y.t.columns = []string{TextColumn}
		text, ok := y.text(key, v)
		return []string{text}, ok
	}
	if len(y.t.columns) == 0 {
		for i := 0; i+1 < len(v.Content); i += 2 {
			y.t.columns = append(y.t.columns, v.Content[i].Value)
		}
	}
	return y.cells(key, v)
}

func (y *yamlReader) cells(key string, v *yaml.Node) ([]string, bool) {
	values, seen, good := make([]string, len(y.t.columns)), map[string]bool{}, true
	for i := 0; i+1 < len(v.Content); i += 2 {
		name := v.Content[i].Value
		at := slices.Index(y.t.columns, name)
		switch {
		case at < 0:
			y.fault(v.Content[i], fmt.Sprintf("row %q has a column %q that the first row has not", key, name), textfile.Choice(name, y.t.columns))
			good = false
			continue
		case seen[name]:
			y.fault(v.Content[i], fmt.Sprintf("column %q stands twice", name), "")
			good = false
			continue
		}
		seen[name] = true
		text, ok := y.text(key, resolve(v.Content[i+1]))
		values[at], good = text, good && ok
	}
	return values, good
}

func (y *yamlReader) text(key string, n *yaml.Node) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode:
		y.fault(n, fmt.Sprintf("a cell of row %q is not a text", key), "one text")
		return "", false
	case n.ShortTag() == "!!null":
		return "", true
	}
	text := trim(n.Value)
	if Rounded(text) {
		y.fault(n, fmt.Sprintf("%s is a number that a spreadsheet has rounded", text), "all digits")
		return "", false
	}
	return text, true
}

// resolve follows an alias; YAML does not let one alias name another.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
