package expr

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"gongdan-bridge/internal/textfile"
)

// Issue is one thing that is wrong with an expression. Line counts from 1
// within the expression, Column from 1 in characters.
type Issue struct {
	Line, Column int
	Message      string
	Expected     string // the word or form that was meant, "" if there is no guess
}

func quote(s string) string { return strconv.Quote(s) }

// issues words CEL's errors for somebody who knows neither CEL nor Go.
func (e *env) issues(source string, iss *cel.Issues, s Spec) []Issue {
	parsed, bad := e.cel.Parse(source)
	if bad.Err() != nil {
		return syntax(bad.Errors())
	}
	var out []Issue
	for _, x := range iss.Errors() {
		i := Issue{Line: x.Location.Line(), Column: x.Location.Column() + 1, Message: strings.TrimSpace(x.Message)}
		e.reword(&i, parsed.NativeRep(), x, s)
		out = append(out, i)
	}
	return out
}

// syntax keeps the first of ANTLR's complaints: the others follow from it.
func syntax(errs []*common.Error) []Issue {
	x := errs[0]
	m := strings.TrimPrefix(x.Message, "Syntax error: ")
	m, _, _ = strings.Cut(m, " expecting ")
	m = strings.ReplaceAll(m, "<EOF>", "the end")
	i := Issue{Line: x.Location.Line(), Column: x.Location.Column() + 1, Message: "not an expression: " + m}
	if at := unreadable.FindStringSubmatch(x.Message); at != nil {
		r, _ := utf8.DecodeRuneInString(at[1])
		i.Message = "not an expression: a character that does not belong there: " + quote(string(r))
		i.Expected = `texts in "quotes", names of letters, digits and _`
		if mark := textfile.HalfWidth(r); mark != "" && strings.Contains("()[]{}.,:?!=<>&|+-*/%\"'", mark) {
			i.Expected = textfile.InHalfWidth(mark)
		}
		if strings.HasPrefix(at[1], "=") {
			i.Message, i.Expected = "not an expression: = does not compare", "=="
		}
	}
	return []Issue{i}
}

// unreadable is how ANTLR says that a character begins no word.
var unreadable = regexp.MustCompile(`token recognition error at: '(.+)'`)

var (
	noField    = regexp.MustCompile(`^undefined field '([^']*)'`)
	noName     = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noMembers  = regexp.MustCompile(`^type '([^']*)' does not support field selection$`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
)

func (e *env) reword(i *Issue, a *ast.AST, x *common.Error, s Spec) {
	if m := noField.FindStringSubmatch(i.Message); m != nil {
		e.field(i, a, x.ExprID, m[1])
	} else if m := noName.FindStringSubmatch(i.Message); m != nil {
		e.name(i, a, x.ExprID, m[1], s)
	} else if m := noMembers.FindStringSubmatch(i.Message); m != nil {
		i.Message = "a " + typeWords(m[1]) + " has no members"
	} else if strings.Contains(i.Message, "exceeds nesting limit") {
		i.Message, i.Expected = "more than two loops inside each other", "at most two of map, filter, exists, all inside each other"
	} else if i.Message == "invalid matches argument" {
		i.Message, i.Expected = "not a regular expression", "RE2's syntax, as in Go"
	} else if m := noOverload.FindStringSubmatch(i.Message); m != nil {
		overload(i, m[1], m[2])
	}
}

func find(a *ast.AST, id int64) ast.Expr {
	var hit ast.Expr
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.ID() == id {
			hit = x
		}
	}))
	return hit
}

// field names the object that lacks the member, and the member that was meant.
func (e *env) field(i *Issue, a *ast.AST, id int64, name string) {
	members, of := []string(nil), ""
	if x := find(a, id); x != nil && x.Kind() == ast.SelectKind {
		if o := e.typeOf(a, x.AsSelect().Operand()); o != nil {
			members, of = o.members, " in "+o.name
		}
	}
	if members == nil {
		for _, o := range e.reg.byName {
			members = append(members, o.members...)
		}
	}
	i.Message = "no member " + quote(name) + of
	i.Expected = textfile.Choice(name, members)
	if name == "msg_data" {
		i.Expected = "its members directly, such as callback.staff_id"
	}
}

// typeOf is the declared struct that an expression gives, nil if it is none or
// depends on a loop's variable.
func (e *env) typeOf(a *ast.AST, x ast.Expr) *object {
	src, err := parser.Unparse(x, a.SourceInfo())
	if err != nil {
		return nil
	}
	checked, iss := e.cel.Compile(src)
	if iss.Err() != nil {
		return nil
	}
	return e.reg.byName[checked.OutputType().TypeName()]
}

// name tells a helper that does not exist from a variable that does not.
func (e *env) name(i *Issue, a *ast.AST, id int64, name string, s Spec) {
	if x := find(a, id); x != nil && x.Kind() == ast.CallKind {
		i.Message = "there is no helper " + quote(name)
		i.Expected = textfile.Choice(name, helperNames())
		return
	}
	switch first, _, _ := strings.Cut(name, "."); {
	case first == varBill && !s.Bill:
		i.Message = "bill is not known yet"
		i.Expected = "it in bodies only"
	case (first == varWorkOrder || first == varOpportunity || first == varFlow) && e.variables[first] == nil:
		i.Message = first + " is not known in a rule for " + string(s.Noun) + "s"
		i.Expected = "noun: of the rule to fit"
	default:
		i.Message = "there is no variable " + quote(name)
		i.Expected = textfile.Choice(name, slices.Sorted(maps.Keys(e.variables)))
		if i.Expected == "" || e.variables[strings.Trim(i.Expected, `"`)] == nil {
			i.Expected = `a variable, or a text in "quotes"`
		}
	}
}

func overload(i *Issue, name, given string) {
	given = typeWords(strings.TrimSuffix(strings.TrimPrefix(given, "("), ")"))
	if name == operators.Index || name == operators.OptIndex {
		i.Message = fmt.Sprintf("[ ] cannot work on %s", given)
		i.Expected = "a list and a number, or a member behind a dot"
		return
	}
	if op, ok := operators.FindReverse(name); ok && op != "" {
		i.Message = fmt.Sprintf("%s cannot work on %s", op, given)
		i.Expected = "the same kind on both sides"
		return
	}
	if name == operators.Conditional {
		i.Message = fmt.Sprintf("? : cannot work on %s", given)
		i.Expected = "a condition and two values of the same kind"
		return
	}
	i.Message = fmt.Sprintf("%s cannot take (%s)", name, given)
	i.Expected = signatures(name)
}

// typeWords drops what only CEL needs to tell types by.
func typeWords(s string) string {
	s = strings.NewReplacer(typePrefix, "", "string", "text", "google.protobuf.Timestamp", "time", "timestamp", "time", "int", "number").Replace(s)
	return s
}

// helpers lists every helper with the arguments that it takes and a word on them,
// in the order of the reference page.
func helpers() [][3]string {
	return [][3]string{
		{"component", "component(title)"},
		{"componentOr", "componentOr(title, default)"},
		{"components", "components(title)"},
		{"lookup", "lookup(table, word) or lookup(table, word, column)"},
		{"lookupOr", "lookupOr(table, word, default) or lookupOr(table, word, column, default)"},
		{"flowStart", "flowStart(staff_id)"},
		{"flowEnd", "flowEnd(staff_id)"},
		{"kingdeeTime", "kingdeeTime(time)"},
		{"kingdeeDate", "kingdeeDate(time)"},
		{"localTime", "localTime(text)", ", a text such as 2025-07-17 14:30"},
		{"hours", "hours(from, to)", ", two times"},
		{"decimal", "decimal(number)"},
		{"add", "add(a, b)"},
		{"sub", "sub(a, b)"},
		{"mul", "mul(a, b)"},
		{"div", "div(a, b)"},
		{"round", "round(number, places)"},
		{"progress", "progress(percent) or progress(step, steps)", ", whole numbers"},
		{"cut", "cut(text, length)"},
		{"trim", "trim(text)"},
		{"replace", "replace(text, old, new)"},
		{"split", "split(text, separator)"},
		{"join", "join(list, separator)"},
		{"fail", "fail(text)", ", the words of the letter"},
		{"picturesBefore", "picturesBefore()"},
		{"picturesAfter", "picturesAfter()"},
		{"pictures", "pictures(list)", ", a list of addresses"},
	}
}

func helperNames() []string {
	names := []string{"size", "string", "int", "has", "contains", "startsWith", "endsWith", "matches", "exists", "all", "map", "filter", "timestamp", "duration"}
	for _, h := range helpers() {
		names = append(names, h[0])
	}
	return names
}

func signatures(name string) string {
	for _, h := range helpers() {
		if h[0] == name {
			return h[1] + h[2]
		}
	}
	return ""
}

// wrongKind checks what the expression gives against what its place takes.
func (e *env) wrongKind(t *cel.Type, want Kind) (Issue, bool) {
	if gives(t, want) {
		return Issue{}, false
	}
	i := Issue{Line: 1, Column: 1, Message: "gives " + kindName(t), Expected: "a " + string(want)}
	switch {
	case want == Bool:
		i.Expected = "a condition: true or false"
	case t.Kind() == types.TimestampKind:
		i.Expected += ": kingdeeTime( ) around it"
	case want == Number && t.Kind() == types.StringKind:
		i.Expected += ": decimal( ) around it"
	case t.Kind() == types.DoubleKind:
		i.Expected += `: exact, such as decimal("1.5")`
	case t.Kind() == types.ListKind && want == Text:
		i.Expected += `: join( , "、") around it`
	case t.Kind() == types.StructKind:
		i.Expected += ": one of its members"
	}
	return i, true
}

func gives(t *cel.Type, want Kind) bool {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" {
		t = t.Parameters()[0]
	}
	switch t.Kind() {
	case types.DynKind, types.AnyKind, types.TypeParamKind:
		return true
	case types.NullTypeKind:
		return want != Bool
	case types.StringKind:
		return want == Text
	case types.IntKind:
		return want == Text || want == Number
	case types.BoolKind:
		return want == Bool
	case types.ListKind:
		return want == List
	case types.MapKind:
		return want == Object
	case types.OpaqueKind:
		return t.TypeName() == decimalName && (want == Text || want == Number)
	}
	return false
}

func kindName(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return "a text"
	case types.BoolKind:
		return "true or false"
	case types.TimestampKind:
		return "a time"
	case types.IntKind:
		return "a number"
	case types.DoubleKind:
		return "an inexact number"
	case types.ListKind:
		return "a list"
	case types.MapKind:
		return "an object"
	case types.StructKind:
		return "the whole " + strings.TrimPrefix(t.TypeName(), typePrefix)
	}
	return "a " + cel.FormatCELType(t)
}
