package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"gongdan-bridge/internal/textfile"
)

// Use is one question that an expression asks a table.
type Use struct {
	Table     string
	Column    string // "" for the first
	Component string // the form component whose answer is looked up, "" if it is none
	Staff     bool   // whether the word is a staff id
}

// inspector walks a checked expression once: for loops, for the tables that it
// asks, and for what CEL's own check cannot know.
type inspector struct {
	a      *ast.AST
	spec   Spec
	p      *Program
	loops  map[string]ast.Expr // a loop's variable → what it runs over
	bills  int                 // mentions of the bill whose number is not all that is asked
	issues []Issue
}

func inspect(p *Program, a *ast.AST, s Spec) []Issue {
	in := &inspector{a: a, spec: s, p: p, loops: map[string]ast.Expr{}}
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(in.visit))
	in.results(a.Expr(), "", 0)
	p.NeedsBillID = in.bills > 0
	return in.issues
}

func (in *inspector) issue(x ast.Expr, message, expected string) {
	at := in.a.SourceInfo().GetStartLocation(x.ID())
	in.issues = append(in.issues, Issue{Line: at.Line(), Column: at.Column() + 1, Message: message, Expected: expected})
}

func (in *inspector) visit(x ast.Expr) {
	switch x.Kind() {
	case ast.IdentKind:
		if x.AsIdent() == varBill {
			in.bills++
		}
	case ast.SelectKind:
		if s := x.AsSelect(); s.FieldName() == "orderNo" && s.Operand().Kind() == ast.IdentKind && s.Operand().AsIdent() == varBill {
			in.bills-- // the visit goes on to the operand, which counts one
		}
	case ast.ComprehensionKind:
		in.p.loops = true
		in.loops[x.AsComprehension().IterVar()] = x.AsComprehension().IterRange()
	case ast.MapKind:
		in.object(x.AsMap())
	case ast.CallKind:
		in.compared(x.AsCall())
		switch c := x.AsCall(); c.FunctionName() {
		case "lookup", "lookupOr":
			in.lookup(c)
		case "component", "componentOr", "components":
			if t, ok := literal(c.Args()[0]); ok && t == "" {
				in.issue(c.Args()[0], "a form component has a title", "")
			}
		}
	}
}

// lookup checks the table's and the column's name, which must be literals: a
// name that is worked out could not be checked before it fails.
func (in *inspector) lookup(c ast.CallExpr) {
	name, args := c.FunctionName(), c.Args()
	t, ok := literal(args[0])
	if !ok {
		in.issue(args[0], name+" takes the table's name as a literal text", "")
		return
	}
	columns, ok := in.spec.Columns(t)
	if !ok {
		in.issue(args[0], "there is no table "+quote(t), tableChoice(t, in.spec.Tables))
		return
	}
	u := Use{Table: t}
	if name == "lookup" && len(args) == 3 || len(args) == 4 {
		if u.Column, ok = literal(args[2]); !ok {
			in.issue(args[2], name+" takes the column's name as a literal text", "")
			return
		}
		if columns != nil && !slices.Contains(columns, u.Column) {
			in.issue(args[2], "table "+quote(t)+" has no column "+quote(u.Column), columnChoice(u.Column, columns))
			return
		}
	}
	u.Component, u.Staff = in.source(args[1], 0)
	in.p.Uses = append(in.p.Uses, u)
}

// source says where a looked-up word comes from: a form component or a member
// that holds staff ids.
func (in *inspector) source(x ast.Expr, depth int) (component string, staff bool) {
	if depth > maxDepth {
		return "", false
	}
	switch x.Kind() {
	case ast.IdentKind:
		if over := in.loops[x.AsIdent()]; over != nil {
			return in.source(over, depth+1)
		}
	case ast.CallKind:
		c := x.AsCall()
		switch c.FunctionName() {
		case "component", "componentOr", "components":
			component, _ = literal(c.Args()[0])
			return component, false
		}
		for _, a := range c.Args() {
			if component, staff = in.source(a, depth+1); component != "" || staff {
				return component, staff
			}
		}
	case ast.SelectKind:
		return "", staffMember(x.AsSelect().FieldName())
	}
	return "", false
}

// staffMember says whether a member of that name holds staff ids.
func staffMember(name string) bool {
	return slices.Contains([]string{
		"staff_id", "staff_ext_id", "handler_id", "last_handler_id", "creator_id", "to_id", "cc_list",
	}, name)
}

func literal(x ast.Expr) (string, bool) {
	if x.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := x.AsLiteral().(types.String)
	return string(s), ok
}

func tableChoice(name string, tables []string) string {
	if len(tables) == 0 {
		return "a table of that name under tables:"
	}
	return textfile.Choice(name, tables)
}

func columnChoice(name string, columns []string) string {
	if len(columns) == 1 {
		return "no column: the table has one value a row"
	}
	return textfile.Choice(name, columns)
}
