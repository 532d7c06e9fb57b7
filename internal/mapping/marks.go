package mapping

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/textfile"
)

// reader reads a mapping or an example.
type reader struct {
	*textfile.Reader
	warnings textfile.List
}

func newReader(file string) *reader {
	return &reader{Reader: textfile.NewReader(file, textfile.Small())}
}

// marked takes the marks off an expression. A scalar without them is a literal.
// ok is false where the marks are wrong, which is a fault already.
func (r *reader) marked(n *yaml.Node, where string) (text string, isExpr, ok bool) {
	s := strings.TrimSpace(n.Value)
	switch {
	case strings.HasPrefix(s, "$${"):
		return s[1:], false, true
	case !strings.HasPrefix(s, "${"):
		if strings.Contains(s, "${") {
			r.Fault(n, where, "an expression is not the whole value", `one ${…} around everything, texts joined with +: ${"工单 " + work_order.title}`)
			return "", false, false
		}
		return n.Value, false, true
	}
	end := closing(s[2:])
	switch {
	case end < 0:
		r.Fault(n, where, "${ is not closed", "} at the end; quotes around the value where it holds ' #'")
		return "", false, false
	case 2+end != len(s)-1:
		r.Fault(n, where, "an expression is not the whole value", `one ${…} around everything, texts joined with +: ${"工单 " + work_order.title}`)
		return "", false, false
	case strings.TrimSpace(s[2:2+end]) == "":
		r.Fault(n, where, "the expression is empty", "")
		return "", false, false
	}
	return s[2 : 2+end], true, true
}

// closing finds the brace that closes an expression, texts and inner braces
// passed over; -1 if there is none.
func closing(s string) int {
	depth, quote := 1, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// compile compiles an expression that stands in n and turns issues into faults
// at their place in the file.
func (r *reader) compile(n *yaml.Node, where, source string, l *expr.Language, s expr.Spec) *expr.Program {
	p, issues := l.Compile(source, s)
	for _, i := range issues {
		r.Faults.Add(r.fault(n, where, source, i))
	}
	if p != nil {
		for _, i := range p.Warnings {
			r.warnings.Add(r.fault(n, where, source, i))
		}
	}
	return p
}

// fault is an issue of an expression at its place in the file.
func (r *reader) fault(n *yaml.Node, where, source string, i expr.Issue) textfile.Fault {
	line, column := r.place(n, source, i.Line, i.Column)
	return textfile.Fault{
		File: r.File, Line: line, Column: column, Where: where,
		Expr: strings.TrimSpace(source), Message: i.Message, Expected: i.Expected,
	}
}

// place finds a place of the expression in the file: its line stands somewhere
// in the scalar's lines, unless YAML has folded or unescaped it; then the scalar's
// own place must do.
func (r *reader) place(n *yaml.Node, source string, line, column int) (int, int) {
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) {
		return n.Line, n.Column
	}
	text := strings.TrimRight(lines[line-1], " \t\r")
	bare := strings.TrimLeft(text, " \t")
	if bare == "" {
		return n.Line, n.Column
	}
	indent := len(text) - len(bare) // blanks are one byte each
	for at := n.Line; at <= n.Line+len(lines)+1; at++ {
		l, ok := r.Line(at)
		if !ok {
			break
		}
		from := 0
		if at == n.Line {
			from = byteOffset(l, n.Column-1)
		}
		if i := strings.Index(l[from:], bare); i >= 0 {
			return at, utf8.RuneCountInString(l[:from+i]) + max(column-indent, 1)
		}
	}
	return n.Line, n.Column
}

// byteOffset is where character number n of s begins.
func byteOffset(s string, n int) int {
	for i := range s {
		if n <= 0 {
			return i
		}
		n--
	}
	return len(s)
}
