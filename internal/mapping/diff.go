package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// FieldDiff is one field of a body that differs: Old is what was expected or
// what the mapping in use gives, New what this mapping gives. "" is a field that
// is not there, which handle-order does not tell from an empty one.
type FieldDiff struct {
	Field string `json:"field"`
	Title string `json:"title,omitempty"` // Kingdee's word for it, such as 处理人
	Old   string `json:"old"`
	New   string `json:"new"`
}

// String is the field, and a line each with - and +.
func (d FieldDiff) String() string {
	var b strings.Builder
	b.WriteString(labelled(d.Field, d.Title))
	if d.Old != "" {
		b.WriteString("\n  - " + indent(d.Old))
	}
	if d.New != "" {
		b.WriteString("\n  + " + indent(d.New))
	}
	return b.String()
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }

// diff compares two bodies of a shape field by field, in the order of their names.
func diff(was, is map[string]string, s *shape) []FieldDiff {
	names := slices.Sorted(maps.Keys(was))
	for n := range is {
		if _, ok := was[n]; !ok {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var out []FieldDiff
	for _, n := range names {
		if was[n] != is[n] {
			out = append(out, FieldDiff{Field: n, Title: s.titleOf(n), Old: was[n], New: is[n]})
		}
	}
	return out
}

// flatten gives every leaf of a value that is not empty under its path.
func flatten(v any) (map[string]string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("flatten body: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("flatten body: %w", err)
	}
	out := map[string]string{}
	leaves("", tree, out)
	return out, nil
}

func leaves(path string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			leaves(join(path, name), m, out)
		}
	case []any:
		for i, m := range v {
			leaves(fmt.Sprintf("%s[%d]", path, i), m, out)
		}
	case nil:
	default:
		if s := fmt.Sprint(v); s != "" {
			out[path] = s
		}
	}
}

// bodyText is a body for a reader: a line a field with Kingdee's word for it, in
// the body's order, empty ones left out.
func bodyText(body json.RawMessage, s *shape) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		return ""
	}
	var b strings.Builder
	for dec.More() {
		name, err := dec.Token()
		var raw json.RawMessage
		if err == nil {
			err = dec.Decode(&raw)
		}
		if err != nil {
			return b.String()
		}
		text := string(raw)
		_ = json.Unmarshal(raw, &text) // what is no text is shown as JSON
		if text != "" && text != "[]" {
			field := fmt.Sprint(name)
			b.WriteString("\n  " + labelled(field, s.titleOf(field)) + ": " + indent(text))
		}
	}
	return b.String()
}
