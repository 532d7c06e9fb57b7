package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/textfile"
)

// Result is what an expression may give, as it is written: a constant of a branch, or a
// column of a table.
type Result struct {
	Issue         // the place of a constant
	Member string // of the objects that the expression gives, "" for the value itself
	Text   string // the constant
	Use    Use    // the column; its Table is "" for a constant
}

// results collects what an expression may give, through branches and defaults.
func (in *inspector) results(x ast.Expr, member string, depth int) {
	if depth > maxDepth {
		return
	}
	if t, ok := literal(x); ok {
		at := in.a.SourceInfo().GetStartLocation(x.ID())
		in.p.Results = append(in.p.Results, Result{Issue: Issue{Line: at.Line(), Column: at.Column() + 1}, Member: member, Text: t})
		return
	}
	if x.Kind() != ast.CallKind {
		return
	}
	c := x.AsCall()
	args := c.Args()
	switch c.FunctionName() {
	case operators.Conditional:
		in.results(args[1], member, depth+1)
		in.results(args[2], member, depth+1)
	case "lookup", "lookupOr":
		u := Use{}
		u.Table, _ = literal(args[0])
		if c.FunctionName() == "lookup" && len(args) == 3 || len(args) == 4 {
			u.Column, _ = literal(args[2])
		}
		in.p.Results = append(in.p.Results, Result{Member: member, Use: u})
		if c.FunctionName() == "lookupOr" {
			in.results(args[len(args)-1], member, depth+1)
		}
	case "componentOr":
		in.results(args[1], member, depth+1)
	case "trim":
		in.results(args[0], member, depth+1)
	}
}

// object collects what the members of an object that an expression makes may be.
func (in *inspector) object(m ast.MapExpr) {
	for _, e := range m.Entries() {
		entry := e.AsMapEntry()
		if name, ok := literal(entry.Key()); ok {
			in.results(entry.Value(), name, 0)
		}
	}
}

// compared warns where a status or an event is compared with a word that Weiban never sends.
func (in *inspector) compared(c ast.CallExpr) {
	var member, other ast.Expr
	switch c.FunctionName() {
	case operators.Equals, operators.NotEquals, operators.In, operators.OldIn:
		member, other = c.Args()[0], c.Args()[1]
	default:
		return
	}
	if _, ok := literal(member); ok {
		member, other = other, member
	}
	known := knownWords(member)
	if known == nil || in.spec.Noun != events.WorkOrder && member.AsSelect().FieldName() == "status" {
		return
	}
	words := []ast.Expr{other}
	if other.Kind() == ast.ListKind {
		words = other.AsList().Elements()
	}
	for _, w := range words {
		if t, ok := literal(w); ok && t != weiban.UnknownStatus && !slices.Contains(known, t) {
			at := in.a.SourceInfo().GetStartLocation(w.ID())
			in.p.Warnings = append(in.p.Warnings, Issue{
				Line: at.Line(), Column: at.Column() + 1,
				Message:  "no page of Weiban has the " + member.AsSelect().FieldName() + " " + quote(t),
				Expected: textfile.Choice(t, known),
			})
		}
	}
}

// knownWords are the documented values of callback.status, callback.event and event.status;
// nil for any other expression.
func knownWords(x ast.Expr) []string {
	if x.Kind() != ast.SelectKind || x.AsSelect().Operand().Kind() != ast.IdentKind {
		return nil
	}
	of, name := x.AsSelect().Operand().AsIdent(), x.AsSelect().FieldName()
	switch {
	case name == "status" && (of == varCallback || of == varEvent):
		return weiban.Statuses()
	case name == "event" && of == varCallback:
		return weiban.Events()
	}
	return nil
}
