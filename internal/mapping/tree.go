package mapping

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/textfile"
)

// part is one place of a body: a literal, an expression, an object or a list.
type part struct {
	field   string // path within body_, e.g. labs[0].id
	shape   *shape
	node    *yaml.Node // where it stands, for faults at load
	literal any
	prg     *expr.Program
	members []member
	items   []*part
}

// member is one entry of an object, in the file's order.
type member struct {
	name string
	part *part
}

// treeReader reads the body of one rule.
type treeReader struct {
	*reader
	language *expr.Language
	spec     expr.Spec
	where    string // the rule's place in the file
}

// read reads what stands in n for a place of that shape; nil after a fault.
func (t *treeReader) read(n *yaml.Node, field string, s *shape, level int) *part {
	if t.Spent(n, level) {
		return nil
	}
	p := &part{field: field, shape: s, node: n}
	switch n.Kind {
	case yaml.ScalarNode:
		return t.scalar(p)
	case yaml.MappingNode:
		if s.kind == expr.Object {
			return t.object(p, level)
		}
	case yaml.SequenceNode:
		if s.kind == expr.List {
			return t.list(p, level)
		}
	}
	t.Fault(n, t.at(field), "is "+textfile.Describe(n), wanted(s))
	return nil
}

func (t *treeReader) at(field string) string { return join(t.where+".body", field) }

func wanted(s *shape) string {
	switch s.kind {
	case expr.List:
		return "a list, or ${…} that gives one"
	case expr.Object:
		return "an object with " + strings.Join(s.order, ", ")
	case expr.Number:
		return "a number, or ${…} that gives one"
	}
	return "a text, or ${…} that gives one"
}

func (t *treeReader) scalar(p *part) *part {
	where := t.at(p.field)
	if p.node.ShortTag() == "!!null" {
		t.Fault(p.node, where, "has no value", wanted(p.shape)+`; "" for an empty text`)
		return nil
	}
	text, isExpr, ok := t.marked(p.node, where)
	if !ok {
		return nil
	}
	if isExpr {
		spec := t.spec
		spec.Kind = p.shape.kind
		p.prg = t.compile(p.node, where, text, t.language, spec)
		return p
	}
	switch p.shape.kind {
	case expr.Text:
		p.literal = text
	case expr.Number:
		if !jsonNumber.MatchString(text) {
			t.Fault(p.node, where, fmt.Sprintf("%q is not a number", text), "a plain number such as 10 or 1.5")
			return nil
		}
		p.literal = json.Number(text)
	default:
		t.Fault(p.node, where, "is "+textfile.Describe(p.node), wanted(p.shape))
		return nil
	}
	return p
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?$`)

func (t *treeReader) object(p *part, level int) *part {
	given := map[string]bool{}
	for _, e := range t.Pairs(p.node, t.at(p.field), level) {
		name := e.Key.Value
		s := p.shape.members[name]
		if s == nil {
			t.Fault(e.Key, t.at(p.field), fmt.Sprintf("handle-order has no %q", name), p.shape.meant(name))
			continue
		}
		given[name] = true
		m := t.read(e.Value, join(p.field, name), s, level+1)
		if m == nil {
			m = &part{field: join(p.field, name), shape: s, node: e.Value, literal: s.example} // reported already
		}
		p.members = append(p.members, member{name, m})
	}
	if t.GaveUp {
		return nil
	}
	for _, name := range p.shape.required {
		if !given[name] && !filledIn(p.field, name) {
			t.Fault(p.node, t.at(p.field), "lacks "+p.shape.members[name].label(name), p.shape.members[name].takes)
		}
	}
	return p
}

// filledIn says which fields the bridge fills where a body leaves them out.
func filledIn(object, name string) bool {
	return object == "" && (name == fieldOrderNo || name == fieldCombo)
}

func (t *treeReader) list(p *part, level int) *part {
	for i, n := range p.node.Content {
		field := p.field + "[" + strconv.Itoa(i) + "]"
		if item := t.read(t.Resolve(n), field, p.shape.item, level+1); item != nil {
			p.items = append(p.items, item)
		}
	}
	return p
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// each visits every place of the tree.
func (p *part) each(visit func(*part)) {
	visit(p)
	for _, m := range p.members {
		m.part.each(visit)
	}
	for _, i := range p.items {
		i.each(visit)
	}
}

// programs visits every expression of the tree.
func (p *part) programs(visit func(*expr.Program)) {
	p.each(func(p *part) {
		if p.prg != nil {
			visit(p.prg)
		}
	})
}

// lastName is the member that a path such as labs[0].id ends with.
func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// find is the part at a JSON pointer's steps, the nearest one above where there
// is none.
func (p *part) find(steps []string) *part {
	if len(steps) == 0 {
		return p
	}
	at := slices.IndexFunc(p.members, func(m member) bool { return m.name == steps[0] })
	if at >= 0 {
		return p.members[at].part.find(steps[1:])
	}
	if i, err := strconv.Atoi(steps[0]); err == nil && i >= 0 && i < len(p.items) {
		return p.items[i].find(steps[1:])
	}
	return p
}

// specimen is the body with every literal as it stands and an example for every
// expression: what can be checked before any event has come.
func (p *part) specimen() any {
	switch {
	case p.prg != nil:
		return p.shape.example
	case p.literal != nil:
		return p.literal
	case p.shape.kind == expr.Object:
		out := map[string]any{}
		for _, m := range p.members {
			out[m.name] = m.part.specimen()
		}
		return out
	case p.shape.kind == expr.List:
		out := []any{}
		for _, i := range p.items {
			out = append(out, i.specimen())
		}
		return out
	}
	return p.shape.example
}
