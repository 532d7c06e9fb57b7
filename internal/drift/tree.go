package drift

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Forms is a set of JSON types: those that a member may have, or those that it
// was found with. null and the empty list, which stand for nothing, may be
// anywhere.
type Forms uint8

// The forms of JSON.
const (
	Text Forms = 1 << iota
	Number
	Bool
	List
	Object
	Null
	notJSON // of a document that no reader can read

	Any = Text | Number | Bool | List | Object | Null // of no declared type: not looked into
)

// String names the types, e.g. "string|number"; "" is none.
func (f Forms) String() string {
	var names []string
	for i, name := range [...]string{"string", "number", "bool", "array", "object", "null", "not JSON"} {
		if f>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Options say what a document is and how its type is to be read.
type Options struct {
	Vendor   string       // as in other metrics, e.g. weiban
	Document string       // the kind of document, e.g. work_order
	Type     reflect.Type // a struct; its members are named by plain json tags, "-" is none

	// Forms are those that the type of a member reads as they are; 0 leaves it to
	// the type's kind. May be nil.
	Forms func(path string, t reflect.Type) Forms
	// Optional says whether a member may be absent; nil: none may.
	Optional func(path string) bool
	// Unknown says whether a member of the type counts as one that it does not
	// know; nil: none does.
	Unknown func(path string) bool
}

// Tree is what is known of one kind of document. It is not changed after it is
// made and may be used by many at once.
type Tree struct {
	vendor, document string

	root *node // nil: nothing is known, every document is one that is not understood
}

// maxMembers is how many members that none may lack one object may have.
const maxMembers = 64

// node is what is known of a value.
type node struct {
	path    string
	forms   Forms
	elem    *node            // of the elements, if they are looked into
	members map[string]*node // if they are looked into
	needed  []*node          // the members that may not be absent
	bit     uint64           // tells this member from the others that may not be absent
}

// New builds the tree of a type. It panics on a type that no document has: more
// than 64 members that none may lack, or a member without a plain json tag.
func New(o Options) *Tree {
	return &Tree{vendor: o.Vendor, document: o.Document, root: o.node("", o.Type)}
}

// Nothing is the tree of documents that are not understood at all: each of them
// is one finding.
func Nothing(vendor, document string) *Tree { return &Tree{vendor: vendor, document: document} }

// Named is the tree of objects of which only the members' names are known: those
// that none may lack, and others.
func Named(vendor, document string, needed, optional []string) *Tree {
	n := &node{forms: Object | Null, members: make(map[string]*node)}
	for i, name := range slices.Concat(needed, optional) {
		n.add(name, &node{path: name, forms: Any}, i < len(needed))
	}
	return &Tree{vendor: vendor, document: document, root: n}
}

// add takes a member down. False: there are too many.
func (n *node) add(name string, m *node, needed bool) bool {
	if n.members[name] = m; !needed {
		return true
	}
	m.bit = 1 << len(n.needed)
	n.needed = append(n.needed, m)
	return len(n.needed) <= maxMembers
}

// Document is what kind of document the tree knows.
func (t *Tree) Document() string { return t.document }

func (o Options) node(path string, typ reflect.Type) *node {
	n := &node{path: path}
	if o.Forms != nil {
		n.forms = o.Forms(path, typ)
	}
	if n.forms == Any {
		return n
	}
	switch typ.Kind() {
	case reflect.Struct:
		n.forms |= Object
		o.object(n, typ)
	case reflect.Slice:
		n.forms |= List
		n.elem = o.node(path+"[]", typ.Elem())
	case reflect.Bool:
		n.forms = cmp.Or(n.forms, Bool)
	case reflect.String:
		n.forms = cmp.Or(n.forms, Text)
	default:
		n.forms = cmp.Or(n.forms, Number)
	}
	n.forms |= Null
	return n
}

func (o Options) object(n *node, typ reflect.Type) {
	n.members = make(map[string]*node, typ.NumField())
	for f := range typ.Fields() {
		name := f.Tag.Get("json")
		if name == "-" {
			continue
		}
		if name == "" || strings.Contains(name, ",") {
			panic(fmt.Sprintf("drift: %v.%s has no plain json tag", typ, f.Name))
		}
		path := below(n.path, name)
		if o.Unknown != nil && o.Unknown(path) {
			continue
		}
		if !n.add(name, o.node(path, f.Type), o.Optional == nil || !o.Optional(path)) {
			panic(fmt.Sprintf("drift: %v has more than %d members", typ, maxMembers))
		}
	}
}

// below is the path of an object's member.
func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
