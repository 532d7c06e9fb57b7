package bridge_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "gongdan-bridge/"

// TestImportTable holds every file against the table of packages in docs/architecture.md: a
// package that is not listed fails, and so does an import that the table does
// not allow. Test files may import what they like. No table opens the test wing to
// the product, not even "all".
func TestImportTable(t *testing.T) {
	allowed := readTable(t)
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && name != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "tools") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(file))
		seen[pkg] = true
		may, listed := allowed[pkg]
		if !listed {
			t.Errorf("%s: package %s is not in the table of %s", file, pkg, architecture)
			return nil
		}
		for _, imp := range imports(t, file) {
			if !slices.ContainsFunc(may, func(m string) bool { return covers(m, imp) }) {
				t.Errorf("%s: %s may not import %s", file, pkg, imp)
			}
			if of(imp, testWing) && !of(pkg, testWing) && !of(pkg, "internal/sandbox") {
				t.Errorf("%s: %s imports %s of the test wing", file, pkg, imp)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("%s lists %s, which holds no Go file", architecture, pkg)
		}
	}
}

// testWing holds what exists for tests alone.
const testWing = "internal/testwing"

// of reports whether pkg is dir or below it.
func of(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// TestDispatcherLinksNoServer holds the dispatcher to being a client of NATS: the
// embedded server belongs to ingest.
func TestDispatcherLinksNoServer(t *testing.T) {
	const server = "github.com/nats-io/nats-server/"
	deps := func(program string) string {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", program).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", program, err)
		}
		return string(out)
	}
	if strings.Contains(deps("./cmd/dispatcher"), server) {
		t.Errorf("cmd/dispatcher links %s; ask `go list -deps` or `go mod why` for the way", server)
	}
	if !strings.Contains(deps("./cmd/ingest"), server) {
		t.Errorf("cmd/ingest links no %s: has its name changed?", server)
	}
}

// covers reports whether an entry of the table lets imp in: "all", the package
// itself, or everything below "name/…".
func covers(entry, imp string) bool {
	if dir, below := strings.CutSuffix(entry, "/…"); below {
		return strings.HasPrefix(imp, dir+"/")
	}
	return entry == "all" || entry == imp
}

// readTable takes the rows "| `package` | what for | imports |" of the page.
func readTable(t *testing.T) map[string][]string {
	t.Helper()
	table := map[string][]string{}
	for line := range strings.Lines(read(t, architecture)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			continue
		}
		pkg, quoted := strings.CutPrefix(strings.TrimSpace(cells[1]), "`")
		pkg, closed := strings.CutSuffix(pkg, "`")
		ours := strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "cmd/") || pkg == "schemas"
		if !quoted || !closed || !ours {
			continue
		}
		table[pkg] = nil
		for _, imp := range strings.Split(cells[3], ",") {
			imp = strings.Trim(strings.TrimSpace(imp), "`")
			switch imp {
			case "–", "":
			case "all", "schemas":
				table[pkg] = append(table[pkg], imp)
			default:
				table[pkg] = append(table[pkg], "internal/"+imp)
			}
		}
	}
	if len(table) < 10 {
		t.Fatalf("%s lists %d packages; has its form changed?", architecture, len(table))
	}
	return table
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, i := range f.Imports {
		if p, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ok {
			own = append(own, p)
		}
	}
	return own
}
