// Package schemas embeds the bridge's JSON Schemas and checks documents
// against them: the data of every event type, the body of handle-order, and
// the two files that an integrator writes.
//
// The files are the contract for other services and for editors; the package
// adds nothing to them. Numbers that have crashed validators are refused first.
package schemas

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"gongdan-bridge/internal/strictjson"
)

// FS holds every schema as <name>.schema.json.
//
//go:embed *.schema.json
var FS embed.FS

const (
	base   = "https://gongdan-bridge.invalid/schemas/"
	suffix = ".schema.json"
)

// Set is the compiled schemas, safe for concurrent use.
type Set struct{ byName map[string]*jsonschema.Schema }

// Load compiles the embedded schemas of these names, or all of them where none is
// named. All take a few milliseconds and a megabyte: keep the Set and share it.
func Load(names ...string) (*Set, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if len(names) == 0 {
		var err error
		if names, err = Names(); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		if err := add(c, n); err != nil {
			return nil, err
		}
	}
	s := &Set{byName: make(map[string]*jsonschema.Schema, len(names))}
	for _, n := range names {
		sch, err := c.Compile(base + n + suffix)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", n, err)
		}
		s.byName[n] = sch
	}
	return s, nil
}

// Names lists the embedded schemas without their suffix, sorted.
func Names() ([]string, error) {
	files, err := fs.Glob(FS, "*"+suffix)
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, suffix)
	}
	return files, nil
}

func add(c *jsonschema.Compiler, name string) error {
	f, err := FS.Open(name + suffix)
	if err != nil {
		return fmt.Errorf("schema %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return fmt.Errorf("schema %s: %w", name, err)
	}
	if err := c.AddResource(base+name+suffix, doc); err != nil {
		return fmt.Errorf("schema %s: %w", name, err)
	}
	return nil
}

// Has reports whether there is a schema of that name.
func (s *Set) Has(name string) bool { return s.byName[name] != nil }

// Fault is one thing that a document gets wrong: where (a JSON pointer) and
// what, without the document's values where the validator leaves them out.
type Fault struct{ Path, Message string }

// Faults is every fault of one document.
type Faults struct {
	Schema string
	List   []Fault
}

func (f *Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "not a valid %s", f.Schema)
	for i, x := range f.List {
		if i == 3 && len(f.List) > 4 {
			fmt.Fprintf(&b, "; and %d more", len(f.List)-i)
			break
		}
		fmt.Fprintf(&b, "; at %q: %s", x.Path, x.Message)
	}
	return b.String()
}

// CheckJSON validates raw JSON: [strictjson.Check] first, then the schema. The
// error is a [*strictjson.Error], a [*Faults], or says that there is no such
// schema.
func (s *Set) CheckJSON(name string, raw []byte) error {
	doc, err := strictjson.Decode(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.Check(name, doc)
}

// Check validates a decoded document whose numbers are json.Number (or Go
// integers); it must have passed [strictjson.Check] if it came from outside.
func (s *Set) Check(name string, doc any) error {
	sch := s.byName[name]
	if sch == nil {
		return fmt.Errorf("schema %s: no such schema", name)
	}
	err := sch.Validate(doc)
	if err == nil {
		return nil
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		return fmt.Errorf("schema %s: %w", name, err)
	}
	f := &Faults{Schema: name}
	p := message.NewPrinter(language.English)
	leaves(ve, func(e *jsonschema.ValidationError) {
		f.List = append(f.List, Fault{
			Path:    "/" + strings.Join(e.InstanceLocation, "/"),
			Message: e.ErrorKind.LocalizedString(p),
		})
	})
	return f
}

// leaves visits the innermost causes: the outer ones only say that an inner
// one failed.
func leaves(e *jsonschema.ValidationError, visit func(*jsonschema.ValidationError)) {
	if len(e.Causes) == 0 {
		visit(e)
		return
	}
	for _, c := range e.Causes {
		leaves(c, visit)
	}
}
