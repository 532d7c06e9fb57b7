package bridge_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallTree is a repository whose figures can be counted by hand.
var smallTree = map[string]string{
	"go.mod":    "module tiny\n\ngo 1.26.0\n",
	"README.md": "# Tiny\n",

	"cmd/tiny/main.go": "package main\n\nimport _ \"tiny/internal/app\"\nimport _ \"tiny/internal/store\"\n\nfunc main() {}\n",
	"internal/app/app.go": "// Package app is documented.\npackage app\n\nimport (\n\t\"fmt\"\n\t\"tiny/internal/ledger\"\n" +
		"\t\"tiny/internal/store\"\n)\n\nvar _ = fmt.Sprint(ledger.Step{}, store.Open) // no comment line\n",
	"internal/ledger/step.go": "package ledger\n\n// Step is documented.\ntype Step struct{}\n\nfunc (Step) a() {}\nfunc (*Step) b() {}\n" +
		"func (s Step) c() {}\n\n// D is documented.\nfunc (Step) D() {}\n",
	"internal/store/a.go": "package store\n\nimport \"tiny/internal/ledger\"\n\n/*\nOpen is documented.\n*/\nfunc Open() {\n\t_ = func() {\n\t}\n}\n\nvar _ ledger.Step\n",
	"internal/store/b.go": "package store\n\nimport _ \"tiny/internal/ledger\"\n\ntype list[T any] struct{}\n\nfunc (*list[T]) Len() {}\nfunc (list[T]) Cap() {}\n\n" +
		"const (\n\tOne = 1 // One is documented.\n\tTwo = 2\n)\n",
	"internal/store/a_test.go": "package store\n\nfunc ExampleOpen() {\n\tOpen()\n\t// Output:\n}\n\nfunc Example_compiled() {}\n",

	"internal/testwing/bustest/x.go": "package bustest\n\nfunc Wing() {}\n",
	"internal/testwing/harness/x.go": "package harness\n",
	"internal/testwing/memory/x.go":  "package memory\n",
	"internal/e2e/x.go":              "package e2e\n",
	"internal/proof/x_test.go":       "package proof\n",
	"internal/sandbox/x.go":          "package sandbox\n",

	"internal/store/testdata/broken.go": "not Go\n",
	".hidden/broken.go":                 "not Go\n",
	"tools/go.mod":                      "module tiny/tools\n",
	"tools/broken.go":                   "not Go\n",
}

// TestMeasure runs the program of `make figures` on smallTree. It prints rows of
// the architecture page, so each row is held: its name, its figure, its place.
func TestMeasure(t *testing.T) {
	table, err := measure(t, smallTree)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"| measure | figure | where |",
		"|---|---:|---|",
		"| product lines | 53 |  |",
		"| test lines | 9 |  |",
		"| test-wing lines | 7 |  |",
		"| test and test-wing lines : product lines | 0.3 |  |",
		"| files in one package | 2 | `internal/store` |",
		"| methods of one type, ledger apart | 2 | `internal/store.list` |",
		"| methods of one type of the ledger | 4 | `internal/ledger.Step` |",
		"| own packages that one imports: engine | 1 | `internal/store` |",
		"| own packages that one imports: assembly | 2 | `internal/app` |",
		"| function lines, median | 1 |  |",
		"| function lines, 95th percentile | 4 |  |",
		"| function lines, longest | 4 | `internal/store/a.go:8 Open` |",
		"| file lines, median | 11 |  |",
		"| file lines, 95th percentile | 13 |  |",
		"| file lines, longest | 13 | `internal/store/a.go` |",
		"| comment lines, % of product lines | 11.32 |  |",
		"| exported things documented, % | 80 |  |",
		"| runnable examples | 1 |  |",
		"| README, bytes | 7 |  |",
		"",
	}, "\n")
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestMeasureJSON(t *testing.T) {
	out, err := measure(t, smallTree, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var figures []struct {
		Measure, Where string
		Value          float64
	}
	if err := json.Unmarshal([]byte(out), &figures); err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if f.Measure == "files in one package" && f.Value == 2 && f.Where == "internal/store" {
			return
		}
	}
	t.Errorf("no figure of the files in one package in %s", out)
}

func TestMeasureRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		args       []string
		want       string
	}{
		"a wing that has moved":   {file: "internal/sandbox/x.go", want: "test wing internal/sandbox: no Go file"},
		"a folder without module": {file: "go.mod", want: "read the module's path"},
		"a folder without README": {file: "README.md", want: "measure the README"},
		"a file that is not Go":   {file: "internal/store/b.go", text: "not Go\n", want: "internal/store/b.go:1:1"},
		"a folder as argument":    {args: []string{"internal"}, want: `unexpected argument "internal"`},
	} {
		t.Run(name, func(t *testing.T) {
			tree := maps.Clone(smallTree)
			delete(tree, c.file)
			if c.text != "" {
				tree[c.file] = c.text
			}
			if out, err := measure(t, tree, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("printed %q, error %v; want an error with %q", out, err, c.want)
			}
		})
	}
}

// measure writes a tree to a folder of its own and runs the program in it. The
// error holds what the program wrote to its standard error.
func measure(t *testing.T, tree map[string]string, args ...string) (string, error) {
	t.Helper()
	root := t.TempDir()
	for name, text := range tree {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "measure.exe")
	build := exec.CommandContext(t.Context(), "go", "-C", "tools", "build", "-o", program, "./measure")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build tools/measure: %s: %v", out, err)
	}
	run := exec.CommandContext(t.Context(), program, args...)
	run.Dir = root
	out, err := run.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = errors.New(string(exit.Stderr))
	}
	return string(out), err
}
