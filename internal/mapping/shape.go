package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/textfile"
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

	limits
}

// limits is what a schema says about a value beside its kind.
type limits struct {
	pattern  *regexp.Regexp // nil for none
	choice   []string
	min, max float64 // of a number's value, a text's characters, a list's items
}

// schemaNode is the part of JSON Schema that handle-order's schema uses. Another
// keyword in that file is an error, since fits would not check it.
type schemaNode struct {
	Schema      string                 `json:"$schema"`
	Type        string                 `json:"type"`
	Title       string                 `json:"title"`
	Description string                 `json:"description"`
	Examples    []json.RawMessage      `json:"examples"`
	Const       json.RawMessage        `json:"const"`
	Pattern     string                 `json:"pattern"`
	Enum        []string               `json:"enum"`
	MinLength   *float64               `json:"minLength"`
	MaxLength   *float64               `json:"maxLength"`
	Minimum     *float64               `json:"minimum"`
	Maximum     *float64               `json:"maximum"`
	MaxItems    *float64               `json:"maxItems"`
	Required    []string               `json:"required"`
	Properties  map[string]*schemaNode `json:"properties"`
	Additional  *bool                  `json:"additionalProperties"`
	Items       *schemaNode            `json:"items"`
}

// bodyShape is the shape of body_.
func bodyShape() (*shape, error) {
	raw, err := schemas.FS.ReadFile(schemaName + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("shape of handle-order: %w", err)
	}
	var root schemaNode
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&root); err != nil {
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
	if err := s.limit(n); err != nil {
		return nil, err
	}
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
	if s == nil {
		return name
	}
	return labelled(name, s.title)
}

func labelled(name, title string) string {
	if title == "" {
		return name
	}
	return name + " (" + title + ")"
}

// titleOf is the vendor's word for the member that a path such as labs[0].id
// begins with, "" if it has none.
func (s *shape) titleOf(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		path = path[:i]
	}
	if m := s.members[path]; m != nil {
		return m.title
	}
	return ""
}

// meant words which member was meant by a name that none has: it may be Kingdee's
// Chinese one.
func (s *shape) meant(name string) string {
	for _, member := range slices.Concat(s.required, s.order) {
		if s.members[member].title == name {
			return strconv.Quote(member)
		}
	}
	return textfile.Choice(name, s.order)
}
