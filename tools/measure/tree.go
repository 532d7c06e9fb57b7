package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// edge is an import of one own package by another, each by its folder.
type edge struct{ from, to string }

// tree is what was counted in one repository.
type tree struct {
	module               string // the module's path
	product, tests, wing int    // lines
	comments             int    // product lines
	exported, documented int
	examples, readme     int
	files, functions     map[string]int  // lines
	packages, methods    map[string]int  // files by folder, methods by folder.Type
	imports              map[edge]bool   // between own packages
	seen                 map[string]bool // folders of the test wing that hold Go files
}

// read counts the repository. It fails on a file that does not parse, a missing
// go.mod or README.md, and a folder of the test wing without Go files: its
// files have moved, and would be counted as product.
func read(repository fs.FS) (*tree, error) {
	mod, err := fs.ReadFile(repository, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("read the module's path: %w", err)
	}
	about, err := fs.Stat(repository, "README.md")
	if err != nil {
		return nil, fmt.Errorf("measure the README: %w", err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	module, ok := strings.CutPrefix(first, "module ")
	if !ok {
		return nil, errors.New(`read the module's path: go.mod does not begin with "module"`)
	}
	t := &tree{
		module: strings.TrimSpace(module), readme: int(about.Size()), seen: map[string]bool{},
		files: map[string]int{}, functions: map[string]int{}, packages: map[string]int{}, methods: map[string]int{},
		imports: map[edge]bool{},
	}
	err = fs.WalkDir(repository, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && skipped(repository, file):
			return fs.SkipDir
		case d.IsDir() || path.Ext(file) != ".go":
			return nil
		}
		return t.count(repository, file)
	})
	if err != nil {
		return nil, fmt.Errorf("read the Go files: %w", err)
	}
	for _, w := range testWing {
		if !t.seen[w] {
			return nil, fmt.Errorf("test wing %s: no Go file; correct testWing in tools/measure", w)
		}
	}
	return t, nil
}

func skipped(repository fs.FS, folder string) bool {
	_, err := fs.Stat(repository, path.Join(folder, "go.mod"))
	return err == nil || strings.HasPrefix(path.Base(folder), ".") || path.Base(folder) == "testdata"
}

// within returns the one of parents that is folder or holds it, or "".
func within(parents []string, folder string) string {
	for _, p := range parents {
		if folder == p || strings.HasPrefix(folder, p+"/") {
			return p
		}
	}
	return ""
}

func (t *tree) count(repository fs.FS, file string) error {
	source, err := fs.ReadFile(repository, file)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, source, parser.ParseComments)
	if err != nil {
		return err
	}
	folder, lines := path.Dir(file), bytes.Count(source, []byte("\n"))
	wing := within(testWing, folder)
	t.seen[wing] = true
	switch {
	case strings.HasSuffix(file, "_test.go"):
		t.tests += lines
		for _, e := range doc.Examples(f) {
			if e.Output != "" || e.EmptyOutput {
				t.examples++
			}
		}
		return nil
	case wing != "":
		t.wing += lines
		return nil
	}
	t.product += lines
	t.files[file] = lines
	t.packages[folder]++
	for _, i := range f.Imports {
		own, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), t.module+"/")
		if ok && f.Name.Name != "main" {
			t.imports[edge{folder, own}] = true
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			from, to := set.Position(c.Pos()), set.Position(c.End())
			if len(bytes.TrimSpace(source[from.Offset-from.Column+1:from.Offset])) == 0 {
				t.comments += to.Line - from.Line + 1
			}
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			t.function(set, folder, d)
		case *ast.GenDecl:
			t.declared(d)
		}
	}
	return nil
}

func (t *tree) function(set *token.FileSet, folder string, d *ast.FuncDecl) {
	from := set.Position(d.Type.Func)
	t.functions[fmt.Sprintf("%s:%d %s", from.Filename, from.Line, d.Name.Name)] = set.Position(d.End()).Line - from.Line + 1
	receiver := true
	if d.Recv != nil {
		name := strings.TrimPrefix(types.ExprString(d.Recv.List[0].Type), "*")
		name, _, _ = strings.Cut(name, "[")
		t.methods[folder+"."+name]++
		receiver = ast.IsExported(name)
	}
	t.export(receiver && d.Name.IsExported(), d.Doc)
}

func (t *tree) declared(d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			t.export(s.Name.IsExported(), d.Doc, s.Doc, s.Comment)
		case *ast.ValueSpec:
			for _, n := range s.Names {
				t.export(n.IsExported(), d.Doc, s.Doc, s.Comment)
			}
		}
	}
}

func (t *tree) export(exported bool, comments ...*ast.CommentGroup) {
	if !exported {
		return
	}
	t.exported++
	if slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil }) {
		t.documented++
	}
}
