package drift

import (
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is said about a shape.
const (
	maxNames  = 12 // of an object's members
	maxDepth  = 3  // of objects inside each other
	maxShape  = 200
	maxName   = 40
	maxDigits = 40
)

const (
	hidden  = "<key>" // in place of a name that looks like data
	more    = "…"
	notJSON = "not JSON"
)

// shapeOf is the shape of a whole document.
func shapeOf(doc []byte) string {
	s := scanner{b: doc}
	shape := s.shape()
	if s.space(); s.bad || s.i < len(doc) {
		return notJSON
	}
	return shape
}

// hollow says whether a shape is that of nothing, so that any other one tells
// more.
func hollow(shape string) bool {
	return shape == "" || shape == "null" || strings.HasSuffix(shape, "(empty)")
}

// outline is a value without what it holds.
type outline struct {
	form    string   // e.g. number, string(URL), object, array
	members []member // of an object, those that are said
	elem    *outline // of a list, the first element that is something
	inner   string   // what stands behind the member's name in its object
}

type member struct{ name, form, inner string }

// shape steps over a value and says what it is.
func (s *scanner) shape() string {
	o := s.outline(0)
	text := o.form
	switch {
	case o.form == "array" && o.elem != nil:
		text = "array of " + o.elem.form + o.elem.inner
	case o.form == "object" || o.form == "array":
		text += o.inner
	}
	if len(text) > maxShape {
		text = strings.ToValidUTF8(text[:maxShape], "") + more
	}
	return text
}

// outline steps over a value.
func (s *scanner) outline(depth int) outline {
	switch c := s.peek(); {
	case c == '"':
		text, _ := s.text()
		return outline{form: textForm(string(text))}
	case c == '{' && depth < maxDepth:
		return s.objectOutline(depth)
	case c == '{':
		s.skip()
		return outline{form: "object", inner: "{" + more + "}"}
	case c == '[' && depth < maxDepth:
		return s.listOutline(depth)
	case c == '[':
		s.skip()
		return outline{form: "array", inner: "[]"}
	case c == 't' || c == 'f':
		s.skip()
		return outline{form: "bool"}
	case c == 'n':
		s.skip()
		return outline{form: "null"}
	default:
		form := "number"
		if n := digits(string(s.literal())); n >= 10 && n <= maxDigits {
			form = "number(" + strconv.Itoa(n) + " digits)"
		}
		return outline{form: form}
	}
}

func (s *scanner) listOutline(depth int) outline {
	var elem *outline
	s.i++
	for first := true; !s.closed(']', &first); {
		if elem != nil && !hollow(elem.form) {
			s.skip()
			continue
		}
		o := s.outline(depth + 1)
		elem = &o
	}
	o := outline{form: "array", elem: elem, inner: "[]"}
	switch {
	case elem == nil:
		o.form = "array(empty)"
	case elem.form == "object" || elem.form == "array":
		o.inner += elem.inner
	}
	return o
}

func (s *scanner) objectOutline(depth int) outline {
	o := outline{form: "object"}
	cut := false
	s.i++
	for first := true; !s.closed('}', &first); {
		name := shown(string(s.name()), nil)
		if len(o.members) == maxNames {
			s.skip()
			cut = true
			continue
		}
		in := s.outline(depth + 1)
		o.members = append(o.members, member{name, in.form, in.inner})
	}
	if len(o.members) == 0 {
		o.form = "object(empty)"
		return o
	}
	o.inner = "{" + strings.Join(names(o.members, cut), ",") + "}"
	return o
}

// names are an object's members as they are said. Of an object that looks like a
// map its keys are data: all of many members, or all objects, of one shape.
func names(members []member, cut bool) []string {
	alike := !slices.ContainsFunc(members, func(m member) bool { return m.form != members[0].form || m.inner != members[0].inner })
	asMap := alike && (len(members) >= 2 && members[0].form == "object" || len(members) >= 8)
	var out []string
	for _, m := range members {
		text := m.name + m.inner
		if asMap {
			text = hidden + m.inner
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if cut && !asMap {
		out = append(out, more)
	}
	return out
}

// textForm is what a string looks like. Only what its beginning and its
// characters give away is said.
func textForm(text string) string {
	kind := ""
	switch n := digits(text); {
	case text == "":
		kind = "empty"
	case n > 0 && n <= maxDigits:
		kind = strconv.Itoa(n) + " digits"
	case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		kind = "URL"
	case dated(text):
		kind = "date"
	case text[0] == '{', text[0] == '[':
		kind = "JSON"
	}
	if kind == "" {
		return "string"
	}
	return "string(" + kind + ")"
}

// dated says whether a text begins with a day, as in 2026-11-22T08:30:15+08:00.
func dated(text string) bool {
	const day = "0000-00-00"
	if len(text) < len(day) || len(text) > len(day)+25 {
		return false
	}
	for i, c := range []byte(day) {
		if c == '-' && text[i] != '-' || c == '0' && (text[i] < '0' || text[i] > '9') {
			return false
		}
	}
	return true
}

// digits is how many digits a whole number has, 0 for any other text.
func digits(text string) int {
	if len(text) > 1 && text[0] == '-' {
		text = text[1:]
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0
		}
	}
	return len(text)
}

// shown is a member's name if it looks like one of the vendor's, else "<key>": an
// object's keys may be ids or words of customers. A name that differs from a
// known one in case and underscores alone is the vendor's, too.
func shown(name string, known map[string]uint8) string {
	if vendors(name) {
		return name
	}
	if len(name) <= maxName {
		for k := range known {
			if strings.EqualFold(strings.ReplaceAll(k, "_", ""), strings.ReplaceAll(name, "_", "")) {
				return name
			}
		}
	}
	return hidden
}

// vendors says whether a name has the form of both vendors' names: it begins
// with a small letter, is not long, and has few capitals and digits.
func vendors(name string) bool {
	if name == "" || len(name) > maxName || name[0] != '_' && (name[0] < 'a' || name[0] > 'z') {
		return false
	}
	capitals, digits := 0, 0
	for _, c := range []byte(name) {
		switch {
		case c >= 'A' && c <= 'Z':
			capitals++
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return capitals <= 4 && digits <= 3
}
