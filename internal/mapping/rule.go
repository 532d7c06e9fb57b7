package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/textfile"
)

// Late says what becomes of an event that is older than what was applied.
type Late string

// The answers to lateness.
const (
	Skip   Late = "skip"   // superseded: nothing is sent
	Apply  Late = "apply"  // sent all the same
	Letter Late = "letter" // a person decides; the default
)

// rule is one checked rule.
type rule struct {
	name string
	noun events.Noun
	when *expr.Program // nil is always
	late Late
	bill *billRule
	body *part
	// loops says whether any expression of the body needs a deadline.
	loops bool
	// needsBillID says whether any expression of the body speaks of the bill's id.
	needsBillID bool
}

// Bounds of the rules.
const (
	maxRules = 500
	maxName  = 100
)

func (l *loader) rules(n, bill *yaml.Node) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		l.Fault(n, "rules", "is "+textfile.Describe(n), "a list with at least one rule")
		return
	}
	if len(n.Content) > maxRules {
		l.Fault(n, "rules", fmt.Sprintf("holds %d rules", len(n.Content)), fmt.Sprintf("at most %d", maxRules))
		return
	}
	r := &ruleReader{
		loader: l, fileBill: bill,
		names: map[string]int{}, seen: map[string]condition{}, shared: map[events.Noun]*billRule{},
	}
	for i, x := range n.Content {
		r.read(l.Resolve(x), "rules["+strconv.Itoa(i)+"]")
	}
}

// ruleReader reads the rules one after the other.
type ruleReader struct {
	*loader
	fileBill *yaml.Node                // the file's `bill`, nil if it has none
	shared   map[events.Noun]*billRule // the same, compiled once a noun
	names    map[string]int            // rule → line
	seen     map[string]condition      // noun and condition
}

// condition is a `when` that was seen, for rules that can never be reached.
type condition struct {
	rule string
	line int
}

func (l *ruleReader) read(n *yaml.Node, where string) {
	s, ok := l.Section(n, where, 2, "name", "noun", "when", "late", "bill", "body")
	if !ok {
		return
	}
	r := &rule{noun: events.WorkOrder, late: Letter}
	if r.name = l.ruleName(n, s["name"], where); r.name != "" {
		where = "rules." + r.name
	}
	if x := s["noun"]; x != nil {
		if w, ok := l.Choice(x, where+".noun", string(events.WorkOrder), string(events.Opportunity)); ok {
			r.noun = events.Noun(w)
		}
	}
	if x := s["late"]; x != nil {
		if w, ok := l.Choice(x, where+".late", string(Skip), string(Apply), string(Letter)); ok {
			r.late = Late(w)
		}
	}
	l.condition(n, s["when"], where, r)
	l.ruleBill(n, s["bill"], where, r)
	l.body(n, s["body"], where, r)
	if r.body != nil {
		r.body.programs(func(p *expr.Program) {
			r.loops = r.loops || p.Loops()
			r.needsBillID = r.needsBillID || p.NeedsBillID
		})
	}
	l.m.rules = append(l.m.rules, r)
}

func (l *ruleReader) ruleName(rule, n *yaml.Node, where string) string {
	if n == nil {
		l.Fault(rule, where, `lacks "name"`, "a name by which outcomes and letters call the rule")
		return ""
	}
	name, ok := l.Word(n, where+".name", "a name")
	switch {
	case !ok:
		return ""
	case utf8.RuneCountInString(name) > maxName:
		l.Fault(n, where+".name", "is too long", fmt.Sprintf("at most %d characters", maxName))
	case l.names[name] > 0:
		l.Fault(n, where+".name", fmt.Sprintf("%q names two rules", name), fmt.Sprintf("another name; the other is on line %d", l.names[name]))
	default:
		l.names[name] = n.Line
	}
	return name
}

func (l *ruleReader) condition(rule, n *yaml.Node, where string, r *rule) {
	const expected = `a condition such as callback.status == "close", or true`
	where += ".when"
	switch {
	case n == nil:
		l.Fault(rule, strings.TrimSuffix(where, ".when"), `lacks "when"`, expected)
		return
	case n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "":
		l.Fault(n, where, "is "+textfile.Describe(n), expected)
		return
	}
	source := n.Value
	if strings.HasPrefix(strings.TrimSpace(source), "${") {
		text, _, ok := l.marked(n, where)
		if !ok {
			return
		}
		source = text
	}
	text := strings.TrimSpace(source)
	for _, earlier := range []string{"true", text} {
		if c, ok := l.seen[string(r.noun)+" "+earlier]; ok {
			why := "has the same condition"
			if earlier == "true" {
				why = "takes everything"
			}
			l.Fault(n, where, fmt.Sprintf("the rule is never reached: rule %q on line %d %s", c.rule, c.line, why), "it before that rule, or another condition")
			break
		}
	}
	l.seen[string(r.noun)+" "+text] = condition{rule: r.name, line: n.Line}
	if text != "true" {
		r.when = l.compile(n, where, source, l.m.language.expr, l.spec(r.noun, false, expr.Bool))
	}
}

// ruleBill is the rule's own bill, or the file's, compiled once a noun.
func (l *ruleReader) ruleBill(rule, own *yaml.Node, where string, r *rule) {
	switch {
	case own != nil:
		r.bill = l.bill(own, where+".bill", r.noun)
	case l.fileBill == nil:
		l.Fault(rule, where, `has no "bill", and neither has the file`, "bill: with orderNo or id")
	case l.shared[r.noun] == nil:
		l.shared[r.noun] = l.bill(l.fileBill, "bill", r.noun)
		r.bill = l.shared[r.noun]
	default:
		r.bill = l.shared[r.noun]
	}
}

func (l *ruleReader) body(rule, n *yaml.Node, where string, r *rule) {
	s := l.m.language.checker.shape
	switch {
	case n == nil:
		l.Fault(rule, where, `lacks "body"`, "body: in the shape of handle-order's body_")
		return
	case n.Kind != yaml.MappingNode:
		l.Fault(n, where+".body", "is "+textfile.Describe(n), "a mapping of handle-order's fields")
		return
	}
	t := &treeReader{reader: l.reader, language: l.m.language.expr, spec: l.spec(r.noun, true, expr.Text), where: where}
	if r.body = t.read(n, "", s, 3); r.body != nil {
		l.literals(r.body, where+".body")
		l.results(r.body, where+".body")
	}
}

// literals checks what the body says in literals, before any event has come.
func (l *ruleReader) literals(body *part, where string) {
	doc, ok := body.specimen().(map[string]any)
	if !ok {
		return
	}
	complete(doc, "fwgs-20250605-00000001")
	for _, m := range l.m.language.checker.misfits(anyBillID, doc) {
		p := body.find(m.steps)
		if m.missing || p.prg != nil || p == body || m.with != "" && body.find([]string{m.with}).prg != nil {
			continue
		}
		l.Fault(p.node, where+"."+m.field(), m.message, m.expected)
	}
}
