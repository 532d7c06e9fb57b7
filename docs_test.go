package bridge_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/telemetry"
)

// pages are what people read.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(found, readme, readmeChinese, "CHANGELOG.md")
}

// TestLinksLeadSomewhere follows every relative link of the pages, to a section too.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
				continue
			}
			if m[2] != "" && strings.HasSuffix(target, ".md") && !slices.Contains(sections(read(t, target)), m[2]) {
				t.Errorf("%s: link to %s#%s: no such section", page, target, m[2])
			}
		}
	}
}

// sections are the names by which a page's headings and its <a id="…"> are linked.
func sections(page string) []string {
	out := anchors(page)
	drop := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		out = append(out, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return out
}

// TestProofsExist: every test that docs/promises.md names as a proof is there.
func TestProofsExist(t *testing.T) {
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("internal", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(read(t, file), -1) {
			tests[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(read(t, promises), -1)
	if len(named) < 5 {
		t.Errorf("%s names %d proofs; has their form changed?", promises, len(named))
	}
	for _, m := range named {
		if !tests[m[1]] {
			t.Errorf("%s names %s, which is no test", promises, m[1])
		}
	}
}

// TestMetricsInPages: what the runbooks tell people to watch is measured.
func TestMetricsInPages(t *testing.T) {
	exposed := map[string]bool{}
	for _, m := range telemetry.Metrics() {
		exposed[m.Exposed()] = true
	}
	name := regexp.MustCompile(`\b(gongdan|bridge)_[a-z_]+`)
	for _, page := range pages(t) {
		for _, n := range name.FindAllString(read(t, page), -1) {
			if !exposed[n] {
				t.Errorf("%s speaks of the metric %s, which does not exist", page, n)
			}
		}
	}
}

// TestCommandsExist gives every command line in the pages' code blocks to the
// program that it names, with --help behind it: an unknown subcommand or flag
// is refused before the help is shown.
func TestCommandsExist(t *testing.T) {
	programs := map[string]func(context.Context, cli.Program) error{"ingest": cli.IngestMain, "dispatcher": cli.DispatcherMain}
	tried := 0
	for _, page := range pages(t) {
		for _, line := range shellLines(read(t, page)) {
			args := fields(line)
			main, known := programs[args[0]]
			if !known {
				continue
			}
			tried++
			none := func(string) (string, bool) { return "", false }
			err := main(t.Context(), cli.Program{Args: append(args[1:], "--help"), Env: none, Stdout: io.Discard, Stderr: io.Discard})
			if err != nil {
				t.Errorf("%s: %s: %v", page, line, err)
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d command lines were found; has their form changed?", tried)
	}
}

// shellLines are the lines of indented and fenced code that begin with "$ ".
func shellLines(page string) []string {
	var out []string
	for line := range strings.Lines(page) {
		if c, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			out = append(out, c)
		}
	}
	return out
}

// fields splits a command line at spaces that no quotes surround; what a pipe
// or a comment follows is the shell's.
func fields(line string) []string {
	word := regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
	var out []string
	for _, w := range word.FindAllString(line, -1) {
		if w == "|" || w == "#" || w == ">" {
			break
		}
		out = append(out, strings.Trim(w, `"'`))
	}
	return out
}

// kinds are the kinds of failure, as the schema of outcomes lists them and package
// events declares them.
func kinds(t *testing.T) (all []events.Kind) {
	t.Helper()
	list := regexp.MustCompile(`"kind": \{"enum": \[(.*)\]`).FindStringSubmatch(read(t, "schemas/handle-order-outcome.schema.json"))
	declared := regexp.MustCompile(`(?m)^\t\w+ +Kind = "(\w+)"`).FindAllStringSubmatch(read(t, "internal/events/failure.go"), -1)
	for _, m := range declared {
		all = append(all, events.Kind(m[1]))
		if list == nil || !strings.Contains(list[1], strconv.Quote(m[1])) {
			t.Errorf("the schema of outcomes does not list %s", m[1])
		}
	}
	if list == nil || len(all) != strings.Count(list[1], ",")+1 {
		t.Errorf("the schema of outcomes lists other kinds than %v", all)
	}
	return all
}

// TestRunbooksSayTheSame: both speak of every kind of failure, have the same
// sections, and show the same commands.
func TestRunbooksSayTheSame(t *testing.T) {
	english, chinese := read(t, "docs/runbook.md"), read(t, "docs/runbook.zh.md")
	for _, k := range kinds(t) {
		for page, text := range map[string]string{"runbook.md": english, "runbook.zh.md": chinese} {
			if !strings.Contains(text, "\n### `"+string(k)+"`") {
				t.Errorf("docs/%s has no section on %s", page, k)
			}
		}
	}
	if diff := cmp.Diff(anchors(english), anchors(chinese)); diff != "" {
		t.Errorf("sections (-English +Chinese):\n%s", diff)
	}
	if diff := cmp.Diff(shellLines(english), shellLines(chinese)); diff != "" {
		t.Errorf("commands (-English +Chinese):\n%s", diff)
	}
}

// anchors are the names <a id="…"> above the sections.
func anchors(page string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestMetricsAreListed finds every instrument that the code makes: the list
// behind the table of docs/operations.md has it, and nothing else.
func TestMetricsAreListed(t *testing.T) {
	var listed []string
	for _, m := range telemetry.Metrics() {
		listed = append(listed, m.Name)
	}
	var made []string
	err := filepath.WalkDir("internal", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		made = append(made, instruments(t, file)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(listed)
	slices.Sort(made)
	if diff := cmp.Diff(listed, made); diff != "" {
		t.Errorf("metrics (-telemetry.Metrics +made in the code):\n%s", diff)
	}
}

// instruments are the names given to whatever makes a counter, gauge or
// histogram.
func instruments(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	maker := regexp.MustCompile(`(?i)(counter|gauge|histogram)$`)
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		made := ""
		switch f := call.Fun.(type) {
		case *ast.SelectorExpr:
			made = f.Sel.Name
		case *ast.Ident:
			made = f.Name
		}
		lit, ok := call.Args[0].(*ast.BasicLit)
		if !ok || !maker.MatchString(made) {
			return true
		}
		if name, err := strconv.Unquote(lit.Value); err == nil {
			out = append(out, name)
		}
		return true
	})
	return out
}
