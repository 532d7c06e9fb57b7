package mapping

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// Result is how an example went.
type Result struct {
	Name string      `json:"name"`
	File string      `json:"file"`
	Pass bool        `json:"pass"`
	Diff []FieldDiff `json:"diff,omitempty"` // Old is what the example expects
	Got  Trial       `json:"got"`
}

// String is one line, and where the example failed a difference a field and what
// could not be filled.
func (r Result) String() string {
	if r.Pass {
		return "ok    " + r.Name
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FAIL  %s (%s)", r.Name, r.File)
	for _, d := range r.Diff {
		b.WriteString("\n  " + strings.ReplaceAll(d.String(), "\n", "\n  "))
	}
	b.WriteString(r.Got.reasons())
	return b.String()
}

// Run tries the example and compares.
func (e Example) Run(m *Mapping) Result {
	r := Result{Name: e.Name, File: e.File, Got: m.Try(e.event.Meta, e.event.Data, e.event.Bill)}
	want, got, err := e.sides(r.Got)
	if err != nil {
		r.Diff = []FieldDiff{{Field: "(expect)", New: err.Error()}}
		return r
	}
	r.Diff = diff(want, got, m.language.checker.shape)
	r.Pass = len(r.Diff) == 0
	return r
}

// sides is what is expected and what came, in the fields that the example mentions.
func (e Example) sides(t Trial) (want, got map[string]string, err error) {
	x := e.expect
	want, all := map[string]string{"(verdict)": string(Mapped)}, t.flat()
	if len(x.Body) > 0 {
		var body any
		dec := json.NewDecoder(bytes.NewReader(x.Body))
		dec.UseNumber()
		if err := dec.Decode(&body); err != nil {
			return nil, nil, fmt.Errorf("body: %w", err)
		}
		if want, err = flatten(body); err != nil {
			return nil, nil, err
		}
		want["(verdict)"] = string(Mapped)
	}
	if x.Ignored {
		want["(verdict)"] = string(Ignored)
	}
	if x.Failure != nil {
		want["(verdict)"] = string(Failed)
		e.failure(t, want, all)
	}
	if x.Rule != "" {
		want["(rule)"] = x.Rule
	}
	if x.Late != "" {
		want["(late)"] = string(x.Late)
	}
	if x.Bill != nil {
		want["(bill)"] = x.Bill.OrderNo + x.Bill.ID
	}
	got = map[string]string{}
	fields := want["(verdict)"] == string(t.Verdict) // else they all differ, and say nothing
	for name, v := range all {
		_, asked := want[name]
		if meta := strings.HasPrefix(name, "("); meta && asked || !meta && fields {
			got[name] = v
		}
	}
	if !fields {
		maps.DeleteFunc(want, func(name, _ string) bool { return !strings.HasPrefix(name, "(") })
	}
	return want, got, nil
}

// failure compares the one failure that is expected; others beside it do not
// matter, as they are often the same missing word in other fields.
func (e Example) failure(t Trial, want, all map[string]string) {
	for _, f := range t.Failures {
		delete(all, cmp.Or(f.Field, "(event)"))
	}
	x := e.expect.Failure
	want["(failure)"] = cmp.Or(x.Field, "any field") + " " + x.Word
	var seen []string
	for _, f := range t.Failures {
		if (x.Field == "" || x.Field == f.Field) && (x.Word == "" || x.Word == f.Word) {
			all["(failure)"] = want["(failure)"]
			return
		}
		seen = append(seen, f.Field+" "+f.Word)
	}
	all["(failure)"] = strings.Join(seen, ", ")
}
