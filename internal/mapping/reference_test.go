package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
)

// TestReferenceRuns runs every fenced block of the page. Its first line says what
// it is:
//
//	csv NAME, json NAME, yaml NAME  a file; m.yaml must load, examples/… must pass
//	cel EVENT                       lines "expression → result", on that event
//	yaml body EVENT                 fields of a body, in the place of m.yaml's rules
//	json fields                     what these fields become
//	text failures                   what they fail with instead
//	text faults                     lines that the golden files of faults hold, too
func TestReferenceRuns(t *testing.T) {
	language, err := NewLanguage()
	if err != nil {
		t.Fatal(err)
	}
	p := &reference{language: language, files: map[string]string{}, faults: goldenFaults(t)}
	_, blocks := readPage(t, pageEnglish)
	for _, b := range blocks {
		if words := strings.Fields(b.info); len(words) == 2 && words[0] != "cel" {
			p.files[words[1]] = b.text
		}
	}
	src, err := p.read("m.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.m, err = Parse("m.yaml", src, p.read, Options{Language: language}); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		t.Run(fmt.Sprintf("line %d %s", b.line, b.info), func(t *testing.T) { p.run(t, b) })
	}
	if p.expressions < 80 || p.bodies < 8 || p.examples < 3 {
		t.Errorf("%d expressions, %d bodies and %d examples ran; has the page's form changed?", p.expressions, p.bodies, p.examples)
	}
}

// reference is the page as far as it has run.
type reference struct {
	language *Language
	files    map[string]string
	m        *Mapping
	faults   string
	trial    *Match // the last "yaml body", not yet held against what follows

	expressions, bodies, examples int
}

func (p *reference) read(name string) ([]byte, error) {
	if text, ok := p.files[filepath.ToSlash(filepath.Clean(name))]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (p *reference) run(t *testing.T, b block) {
	words := strings.Fields(b.info)
	if len(words) < 2 {
		t.Fatalf("a block is %q: nobody runs it", b.info)
	}
	if held := words[1] == "fields" || words[1] == "failures"; held != (p.trial != nil) {
		t.Fatal("a body stands without what becomes of it, or the other way round")
	}
	switch words[0] + " " + words[1] {
	case "yaml body":
		p.trial = p.body(t, words[2], b.text)
		return
	case "json fields":
		p.fields(t, b.text)
		return
	case "text failures":
		p.failures(t, b.text)
		return
	case "text faults":
		for line := range strings.Lines(b.text) {
			if !strings.Contains(p.faults, line) {
				t.Errorf("no golden file has the fault %s", line)
			}
		}
		return
	}
	if words[0] == "cel" {
		for line := range strings.Lines(b.text) {
			p.expression(t, words[1], line)
		}
		return
	}
	name := words[1]
	if !strings.Contains(name, ".") {
		t.Fatalf("a block is %q: nobody runs it", b.info)
	}
	if strings.HasPrefix(name, "examples/") {
		e, err := parseExample(name, []byte(b.text), p.read)
		if err != nil {
			t.Fatal(err)
		}
		p.examples++
		if r := e.Run(p.m); !r.Pass {
			t.Error(r)
		}
	}
}

// input is an event of the page.
func (p *reference) input(t *testing.T, name string) *Input {
	t.Helper()
	b, err := p.read(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := recorded(b)
	if err != nil {
		t.Fatal(err)
	}
	in, err := NewInput(r.Meta, r.Data)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// expression runs a line "expression → result". The result is JSON, or "error: "
// and why it has no value, or "fault: " and why it does not compile.
func (p *reference) expression(t *testing.T, event, line string) {
	source, want, ok := strings.Cut(strings.TrimSpace(line), " → ")
	if !ok {
		t.Fatalf("%q gives nothing", line)
	}
	source, want = strings.TrimSpace(source), strings.TrimSpace(want)
	p.expressions++
	var value any
	dec := json.NewDecoder(strings.NewReader(want))
	dec.UseNumber()
	failing := strings.HasPrefix(want, "error: ") || strings.HasPrefix(want, "fault: ")
	if !failing {
		if err := dec.Decode(&value); err != nil {
			t.Fatalf("%s: %q is no result: %v", source, want, err)
		}
	}
	in := p.input(t, event)
	prg, issues := p.m.language.expr.Compile(source, expr.Spec{Noun: in.Noun(), Bill: true, Kind: kindOf(value), Tables: p.m.Tables(), Columns: func(name string) ([]string, bool) {
		if table := p.m.Table(name); table != nil {
			return table.Columns(), true
		}
		return nil, false
	}})
	if len(issues) > 0 {
		if got := "fault: " + issues[0].Message + "; expected " + issues[0].Expected; got != want {
			t.Errorf("%s\ngives %s\nnot   %s", source, got, want)
		}
		return
	}
	s := p.m.language.expr.Scope(in, p.m.tables)
	s.SetBill(expr.Bill{ID: bill, OrderNo: billNo})
	got, err := prg.Eval(t.Context(), s)
	if err != nil {
		if "error: "+err.Error() != want {
			t.Errorf("%s\ngives error: %v\nnot   %s", source, err, want)
		}
		return
	}
	if diff := cmp.Diff(value, got); diff != "" || failing {
		t.Errorf("%s gives %v, not %s", source, got, want)
	}
}

func kindOf(value any) expr.Kind {
	switch value.(type) {
	case json.Number:
		return expr.Number
	case bool:
		return expr.Bool
	case []any:
		return expr.List
	case map[string]any:
		return expr.Object
	}
	return expr.Text
}

// body maps an event by m.yaml with these fields in the place of its rules.
func (p *reference) body(t *testing.T, event, fields string) *Match {
	head, _, ok := strings.Cut(p.files["m.yaml"], "\nrules:\n")
	if !ok {
		t.Fatal("m.yaml has no rules")
	}
	in := p.input(t, event)
	src := head + "\nrules:\n  - name: example\n    noun: " + string(in.Noun()) + `
    when: true
    body:
      <<: {handlesdate: "2025-07-17 12:00:00", handleedate: "2025-07-17 18:11:41", handlemanid: "1", handledeptid: "2",
        wxztid: H, processid: "100", wtyyid: "3", clfaid: "4", cljgid: "5"}
`
	for line := range strings.Lines(fields) {
		src += "      " + line
	}
	m, err := Parse("m.yaml", []byte(src), p.read, Options{Language: p.language})
	if err != nil {
		t.Fatal(err)
	}
	x, err := m.Match(in)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (p *reference) fields(t *testing.T, text string) {
	x := p.trial
	p.trial = nil
	p.bodies++
	order, err := x.Body(bill, billNo)
	if err != nil {
		t.Fatalf("%v", err)
	}
	b, err := json.Marshal(order.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, want := object(t, b), object(t, []byte(text))
	for name := range got {
		if _, asked := want[name]; !asked {
			delete(got, name)
		}
	}
	for name, v := range want {
		if _, there := got[name]; v == nil && !there {
			delete(want, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("fields (-page +mapping):\n%s", diff)
	}
}

func object(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return out
}

func (p *reference) failures(t *testing.T, text string) {
	x := p.trial
	p.trial = nil
	_, err := x.Body(bill, billNo)
	var got strings.Builder
	for _, f := range FailuresOf(err) {
		if f.Kind != events.Unmapped {
			t.Errorf("%s: kind %s", f.Reason, f.Kind)
		}
		got.WriteString(f.Reason + "\n")
	}
	if diff := cmp.Diff(text, got.String()); diff != "" {
		t.Errorf("failures (-page +mapping):\n%s", diff)
	}
}

// goldenFaults is what every archive of faults wants.
func goldenFaults(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(a.Files[len(a.Files)-1].Data)
	}
	return all.String()
}
