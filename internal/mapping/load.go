package mapping

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/textfile"
	"gongdan-bridge/schemas"
)

// Fault is one thing that a mapping file or a table gets wrong.
type Fault = textfile.Fault

// Faults is every fault of one load; see [FaultsOf].
type Faults = textfile.Faults

// FaultsOf is the faults in err's chain, nil if it holds none.
func FaultsOf(err error) Faults { return textfile.Of(err) }

// Options are a load's settings; the zero Options are sound.
type Options struct {
	// Tables are asked before the mapping's own: the ones that operators fill
	// while the bridge runs. They may change at any time; nil for none.
	Tables table.Tables
	// Language is shared by all mappings of a program; nil to make one for this load.
	Language *Language
}

// Language is what mappings are written in and checked against: the variables and
// helpers of expressions, and the schema of handle-order. It takes a few milliseconds
// to make. It is safe for concurrent use.
type Language struct {
	expr     *expr.Language
	checker  checker
	deadline time.Duration
}

// deadline bounds the expressions of one call of Match, Bill or Body: far more than
// any mapping needs.
const deadline = 100 * time.Millisecond

// NewLanguage makes the language.
func NewLanguage() (*Language, error) { return newLanguage(expr.Cost, deadline) }

func newLanguage(cost uint64, deadline time.Duration) (*Language, error) {
	set, err := schemas.Load(schemaName)
	if err != nil {
		return nil, err
	}
	language, err := expr.New(cost)
	if err != nil {
		return nil, err
	}
	s, err := bodyShape()
	if err != nil {
		return nil, err
	}
	return &Language{expr: language, checker: checker{set: set, shape: s}, deadline: deadline}, nil
}

// Mapping is a checked mapping, unchanging and safe for concurrent use.
type Mapping struct {
	file      string
	hash      string
	rules     []*rule
	letter    bool // otherwise: letter
	tables    table.Set
	overlay   table.Tables
	language  *Language
	files     []string // what it was read from
	tableFile map[string]string
	codes     map[codeColumn]*shape // the columns of tables that feed a code of the body
	warnings  textfile.Faults
}

// Load reads a mapping and its tables and checks everything. The error is a
// [Faults] that names all of them.
func Load(path string, o Options) (*Mapping, error) { return loadWith(path, os.ReadFile, o) }

func loadWith(path string, read func(string) ([]byte, error), o Options) (*Mapping, error) {
	src, err := read(path)
	if err != nil {
		return nil, textfile.Faults{{File: path, Message: "cannot be read: " + cause(err)}}
	}
	return Parse(path, src, read, o)
}

// Parse is Load of a text that has been read already. Files of tables are
// relative to path's directory and read by read.
func Parse(path string, src []byte, read func(path string) ([]byte, error), o Options) (*Mapping, error) {
	l, err := newLoader(path, read, o)
	if err != nil {
		return nil, err
	}
	if root := l.Document(src, "version, bill and rules"); root != nil {
		l.sections(root)
	}
	if err := l.Faults.Err(); err != nil {
		return nil, err
	}
	l.m.warnings = textfile.Of(l.warnings.Err())
	l.digest = append(l.digest, events.Hash(src)...)
	l.m.hash = events.Hash(l.digest)[:16]
	return l.m, nil
}

// loader reads one mapping.
type loader struct {
	*reader
	m      *Mapping
	read   func(string) ([]byte, error)
	digest []byte // of every table's file, in the file's order
}

func newLoader(path string, read func(string) ([]byte, error), o Options) (*loader, error) {
	language := o.Language
	if language == nil {
		var err error
		if language, err = NewLanguage(); err != nil {
			return nil, fmt.Errorf("load mapping %s: %w", path, err)
		}
	}
	return &loader{
		reader: newReader(path),
		read:   read,
		m: &Mapping{
			file: path, files: []string{path}, tables: table.Set{}, tableFile: map[string]string{}, codes: map[codeColumn]*shape{}, overlay: o.Tables,
			language: language,
		},
	}, nil
}

// Hash names the mapping's version: 16 hex digits over the file and its tables'
// files.
func (m *Mapping) Hash() string { return m.hash }

// File is the path that the mapping was loaded from.
func (m *Mapping) File() string { return m.file }

// Files is every file that the mapping was loaded from, its own first.
func (m *Mapping) Files() []string { return slices.Clone(m.files) }

// Rules is the rules' names in the order in which they are tried.
func (m *Mapping) Rules() []string {
	names := make([]string, len(m.rules))
	for i, r := range m.rules {
		names[i] = r.name
	}
	return names
}

// Warnings are what is allowed in the mapping's files and most likely not meant.
func (m *Mapping) Warnings() Faults { return slices.Clone(m.warnings) }

// Table is a table of the mapping as its file or rows give it, without what
// operators have added; nil if the mapping declares none of that name.
func (m *Mapping) Table(name string) *table.Table { return m.tables[name] }

// Tables lists the declared tables, sorted.
func (m *Mapping) Tables() []string { return sortedKeys(m.tables) }

// beside is a table's file as the mapping names it.
func (l *loader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(l.File), path)
}

// cause is an error of the file system without the path, which stands beside it
// already.
func cause(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
