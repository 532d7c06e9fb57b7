package mapping

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
)

// Failures is everything that a body cannot fill, in the body's order. The error
// of [Match.Body] is an [events.Failure] of the first, with all of them behind
// it: see [FailuresOf].
type Failures []*events.Failure

// Error is one line a failure.
func (f Failures) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.Reason
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes every failure known to errors.Is and errors.As.
func (f Failures) Unwrap() []error {
	out := make([]error, len(f))
	for i, x := range f {
		out[i] = x
	}
	return out
}

// FailuresOf is every failure in err's chain: all that a body lacks, or the one
// that there is. nil for nil.
func FailuresOf(err error) Failures {
	if err == nil {
		return nil
	}
	var all Failures
	if errors.As(err, &all) {
		return all
	}
	return Failures{events.FailureOf(err)}
}

// Body works out and checks the handle-order request for the bill of that id
// and number. The id may be "" where [Match.NeedsBillID] is false. The error is an
// [events.Failure] of kind unmapped that names rule, field, expression and, where one is missing, the word.
func (x *Match) Body(id, orderNo string) (kingdee.HandleOrder, error) {
	x.scope.SetBill(expr.Bill{ID: id, OrderNo: orderNo})
	ctx, cancel := x.context(x.rule.loops)
	defer cancel()
	w := &worker{x: x, ctx: ctx}
	body, _ := w.work(x.rule.body).(map[string]any)
	if len(w.failures) == 0 {
		complete(body, orderNo)
		w.check(cmp.Or(id, anyBillID), body)
	}
	if len(w.failures) > 0 {
		return kingdee.HandleOrder{}, w.failed()
	}
	return kingdee.HandleOrder{ID: id, Body: kingdeeBody(body)}, nil
}

// worker evaluates a body. It does not stop at a failure: an operator wants to know
// everything that is missing at once.
type worker struct {
	x        *Match
	ctx      context.Context
	failures Failures
}

// work is the value of a part; nil for what is left out.
func (w *worker) work(p *part) any {
	switch {
	case p.prg != nil:
		v, err := p.prg.Eval(w.ctx, w.x.scope)
		if err != nil {
			w.failures = append(w.failures, w.x.failure(p.field, p.prg, err))
		}
		return v
	case p.literal != nil:
		return p.literal
	case p.shape.kind == expr.Object:
		out := make(map[string]any, len(p.members)+2)
		for _, m := range p.members {
			if v := w.work(m.part); v != nil {
				out[m.name] = v
			}
		}
		return out
	}
	out := make([]any, 0, len(p.items))
	for _, i := range p.items {
		if v := w.work(i); v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (w *worker) check(id string, body map[string]any) {
	all := w.x.m.language.checker.misfits(id, body)
	slices.SortStableFunc(all, func(a, b misfit) int {
		return cmp.Or(cmp.Compare(w.place(a), w.place(b)), cmp.Compare(a.field(), b.field()), cmp.Compare(a.message, b.message))
	})
	for _, m := range all {
		p := w.x.rule.body.find(m.steps)
		f := &events.Failure{Kind: events.Unmapped, Rule: w.x.rule.name, Field: m.field(), Word: m.word}
		if p.prg != nil {
			f.Expr = strings.TrimSpace(p.prg.Source)
		}
		f.Reason = fmt.Sprintf("rule %q: %s", w.x.rule.name, m.message)
		if m.expected != "" {
			f.Reason += "; expected " + m.expected
		}
		w.failures = append(w.failures, f)
	}
}

// place is the position of a misfit's field in the body, behind all others where the
// body does not have the field.
func (w *worker) place(m misfit) int {
	members := w.x.rule.body.members
	for i := range members {
		if len(m.steps) > 0 && members[i].name == m.steps[0] {
			return i
		}
	}
	return len(members)
}

// failed is the first failure, saying which other fields fail too.
func (w *worker) failed() *events.Failure {
	f := *w.failures[0]
	if rest := w.failures[1:]; len(rest) > 0 {
		fields := make([]string, len(rest))
		for i, r := range rest {
			fields[i] = r.Field
		}
		f.Reason += fmt.Sprintf(" (and %d more: %s)", len(rest), strings.Join(fields, ", "))
	}
	f.Err = w.failures
	return &f
}

// kingdeeBody is a checked body as the connector takes it.
func kingdeeBody(m map[string]any) kingdee.Body {
	text := func(name string) string { s, _ := m[name].(string); return printable(s) }
	hours, _ := m["diff"].(json.Number)
	return kingdee.Body{
		OrderNo: text(fieldOrderNo), StartDate: text(fieldStart), EndDate: text(fieldEnd),
		HandlerID: text("handlemanid"), DeptID: text("handledeptid"),
		Status: text(fieldLetter), ComboField: text(fieldCombo), Hours: hours, Progress: text("processid"),
		CauseID: text("wtyyid"), SolutionID: text("clfaid"), ResultID: text("cljgid"), Note: text("clsmid"),
		Helpers:  helpers(m["labs"]),
		Latitude: text("lat"), Longitude: text("lgt"), Address: text("handleAddress"),
		PhotosPre: photos(m["attmentInforspre"]), PhotosAfter: photos(m["attmentInforsafter"]),
	}
}

// printable drops control characters, which Kingdee's pages and exports stumble over; the
// ends of lines and tabs stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

func helpers(v any) []kingdee.Helper {
	var out []kingdee.Helper
	for _, o := range objects(v) {
		id, _ := o["id"].(string)
		out = append(out, kingdee.Helper{ID: id})
	}
	return out
}

func photos(v any) []kingdee.Photo {
	var out []kingdee.Photo
	for _, o := range objects(v) {
		url, _ := o["url"].(string)
		name, _ := o["name"].(string)
		out = append(out, kingdee.Photo{URL: url, Name: printable(name)})
	}
	return out
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, x := range list {
		if o, ok := x.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}
