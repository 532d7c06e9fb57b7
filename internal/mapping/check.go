package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/textfile"
	"gongdan-bridge/schemas"
)

// Members of body_ that the mapping itself speaks of.
const (
	fieldOrderNo = "orderNo"
	fieldStart   = "handlesdate"
	fieldEnd     = "handleedate"
	fieldLetter  = "wxztid"
	fieldCombo   = "combofield"
)

// misfit is one thing that a body gets wrong.
type misfit struct {
	steps    []string // the path within body_
	message  string
	expected string
	word     string // the value, where it is a code and no free text
	missing  bool   // a required member is not there
	with     string // the other member, where two do not go together
}

func (m misfit) field() string {
	var b strings.Builder
	for _, s := range m.steps {
		switch {
		case s != "" && s[0] >= '0' && s[0] <= '9':
			b.WriteString("[" + s + "]")
		case b.Len() > 0:
			b.WriteString("." + s)
		default:
			b.WriteString(s)
		}
	}
	return b.String()
}

// checker checks bodies: their literals at load, and all of it before sending.
type checker struct {
	set   *schemas.Set
	shape *shape
}

// request is the whole document that is sent.
func request(id string, body map[string]any) map[string]any {
	return map[string]any{"entity": "", "id": id, "flag": schemaName, "body_": body}
}

// complete fills what a body may leave out.
func complete(body map[string]any, orderNo string) {
	if _, ok := body[fieldOrderNo]; !ok && orderNo != "" {
		body[fieldOrderNo] = orderNo
	}
	if _, ok := body[fieldCombo]; !ok && body[fieldLetter] != nil {
		body[fieldCombo] = body[fieldLetter]
	}
}

// misfits is everything that is wrong with a completed body for the bill of
// that id.
func (c checker) misfits(id string, body map[string]any) []misfit {
	if billID.MatchString(id) && c.shape.fits(body) {
		return c.relations(body)
	}
	var out []misfit
	err := c.set.Check(schemaName, request(id, body))
	var faults *schemas.Faults
	switch {
	case errors.As(err, &faults):
		for _, f := range faults.List {
			out = append(out, c.misfit(body, f)...)
		}
	case err != nil:
		out = append(out, misfit{message: err.Error()})
	}
	out = append(out, c.relations(body)...)
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(m misfit) bool {
		key := m.field() + m.message
		twice := seen[key]
		seen[key] = true
		return twice
	})
}

// misfit words a schema's fault by the field's own description: the validator's
// words would show patterns, and values that may be a customer's.
func (c checker) misfit(body map[string]any, f schemas.Fault) []misfit {
	steps := strings.Split(strings.Trim(f.Path, "/"), "/")
	if steps[0] != "body_" {
		return []misfit{{message: "the bill's " + steps[0] + " does not fit", expected: "Kingdee's id: digits, as text"}}
	}
	s, value := c.shape, any(body)
	steps = steps[1:]
	for _, step := range steps {
		s, value = descend(s, value, step)
		if s == nil {
			return []misfit{{steps: steps, message: f.Message}}
		}
	}
	name := ""
	if len(steps) > 0 {
		name = steps[len(steps)-1]
	}
	if s.kind == expr.Object {
		return lacking(s, value, steps, f.Message)
	}
	m := misfit{steps: steps, message: s.label(name) + " does not fit", expected: s.takes}
	if s.kind == expr.List {
		m.message, m.expected = s.label(name)+" does not fit: "+f.Message, ""
	}
	if text, ok := value.(string); ok && s.exact {
		m.word = textfile.Shorten(text)
		m.message = fmt.Sprintf("%s cannot be %q", s.label(name), m.word)
	}
	return []misfit{m}
}

// lacking lists the required members that an object lacks.
func lacking(s *shape, value any, steps []string, message string) []misfit {
	object, ok := value.(map[string]any)
	if !ok {
		return []misfit{{steps: steps, message: message}}
	}
	var out []misfit
	for _, name := range s.required {
		if _, ok := object[name]; !ok {
			at := append(append([]string(nil), steps...), name)
			out = append(out, misfit{steps: at, missing: true, message: s.members[name].label(name) + " is missing", expected: s.members[name].takes})
		}
	}
	for name := range object {
		if s.members[name] == nil {
			out = append(out, misfit{steps: steps, message: fmt.Sprintf("handle-order has no %q", name)})
		}
	}
	return out
}

func descend(s *shape, value any, step string) (*shape, any) {
	switch v := value.(type) {
	case map[string]any:
		return s.members[step], v[step]
	case []any:
		for i, x := range v {
			if fmt.Sprint(i) == step {
				return s.item, x
			}
		}
	}
	return nil, nil
}

// relations checks what a schema cannot say: both letters the same, times that
// exist, no end before its start.
func (c checker) relations(body map[string]any) []misfit {
	var out []misfit
	letter, combo := body[fieldLetter], body[fieldCombo]
	if l, ok := letter.(string); ok && combo != nil && combo != letter {
		out = append(out, misfit{steps: []string{fieldCombo}, with: fieldLetter, message: fmt.Sprintf("combofield and wxztid (维修状态) differ: %v and %s", combo, l), expected: "the same letter in both"})
	}
	start, okStart := c.moment(body, fieldStart, &out)
	end, okEnd := c.moment(body, fieldEnd, &out)
	if okStart && okEnd && end.Before(start) {
		out = append(out, misfit{
			steps:    []string{fieldEnd},
			with:     fieldStart,
			message:  fmt.Sprintf("handleedate is before handlesdate: %s and %s", body[fieldEnd], body[fieldStart]),
			expected: "an end that is not before the start",
		})
	}
	return out
}

func (c checker) moment(body map[string]any, field string, out *[]misfit) (time.Time, bool) {
	text, ok := body[field].(string)
	if !ok || len(text) != len(expr.KingdeeTime) {
		return time.Time{}, false // the schema has said so
	}
	t, err := time.Parse(expr.KingdeeTime, text)
	if err != nil && strings.Trim(text, "0123456789-: ") == "" {
		*out = append(*out, misfit{
			steps: []string{field}, word: text, expected: "a time that exists",
			message: fmt.Sprintf("%s cannot be %q", c.shape.members[field].label(field), text),
		})
	}
	return t, err == nil
}
