package mapping

import (
	"encoding/json"
	"fmt"
	"slices"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/schemas"
)

// schemaName is the schema of the whole handle-order request.
const schemaName = "handle-order"

// shape is what handle-order takes at one place, read from its schema: the one
// source for names, kinds, Chinese titles and examples.
type shape struct {
	kind     expr.Kind
	title    string // the vendor's word, e.g. 处理人
	takes    string // what belongs there, in words
	example  any
	required []string
	order    []string
	members  map[string]*shape
	item     *shape
	exact    bool // a pattern or a choice: its values are codes, no free text
}

// schemaNode is as much of JSON Schema as handle-order's uses.
type schemaNode struct {
	Type        string                 `json:"type"`
	Title       string                 `json:"title"`
	Description string                 `json:"description"`
	Examples    []json.RawMessage      `json:"examples"`
	Pattern     string                 `json:"pattern"`
	Enum        []string               `json:"enum"`
	Required    []string               `json:"required"`
	Properties  map[string]*schemaNode `json:"properties"`
	Items       *schemaNode            `json:"items"`
}

// bodyShape is the shape of body_.
func bodyShape() (*shape, error) {
	raw, err := schemas.FS.ReadFile(schemaName + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("shape of handle-order: %w", err)
	}
	var root schemaNode
	if err := json.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf("shape of handle-order: %w", err)
	}
	body := root.Properties["body_"]
	if body == nil {
		return nil, fmt.Errorf("shape of handle-order: its schema has no body_")
	}
	return shapeOf(body)
}

func shapeOf(n *schemaNode) (*shape, error) {
	s := &shape{title: n.Title, takes: n.Description, required: n.Required, exact: n.Pattern != "" || len(n.Enum) > 0}
	if len(n.Examples) > 0 {
		if err := json.Unmarshal(n.Examples[0], &s.example); err != nil {
			return nil, fmt.Errorf("example of %s: %w", n.Title, err)
		}
		if f, ok := s.example.(float64); ok {
			s.example = json.Number(fmt.Sprint(f))
		}
	}
	switch n.Type {
	case "object":
		s.kind, s.members, s.takes = expr.Object, map[string]*shape{}, "an object"
		for name, m := range n.Properties {
			member, err := shapeOf(m)
			if err != nil {
				return nil, err
			}
			s.members[name] = member
			s.order = append(s.order, name)
		}
		slices.Sort(s.order)
	case "array":
		item, err := shapeOf(n.Items)
		if err != nil {
			return nil, err
		}
		s.kind, s.item, s.example, s.takes = expr.List, item, []any{}, "a list"
	case "number":
		s.kind = expr.Number
	default:
		s.kind = expr.Text
	}
	return s, nil
}

// label names a field to a person: the name, with the vendor's word if it has
// one.
func (s *shape) label(name string) string {
	if s == nil || s.title == "" {
		return name
	}
	return name + " (" + s.title + ")"
}
