package drift

import (
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

	Any = Text | Number | Bool | List | Object // of no declared type: not looked into
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

	root   *node   // nil: nothing is known, every document is one that is not understood
	places []*node // the objects of the document, by node.place
}

// maxMembers is how many members one object of a type may have.
const maxMembers = 64

// node is what is known of a value.
type node struct {
	path    string
	forms   Forms
	elem    *node            // of the elements, if they are looked into
	names   map[string]uint8 // of the members, if they are looked into
	members []*node
	needed  uint64 // the members that may not be absent
	place   int    // of an object: its index among the tree's
}

// New builds the tree of a type. It panics on a type that no document has: more
// than 64 members in one object, or a member without a plain json tag.
func New(o Options) *Tree {
	t := &Tree{vendor: o.Vendor, document: o.Document}
	t.root = t.node("", o.Type, o)
	return t
}

// Nothing is the tree of documents that are not understood at all: each of them
// is one finding.
func Nothing(vendor, document string) *Tree { return &Tree{vendor: vendor, document: document} }

// Named is the tree of objects of which only the members' names are known: those
// that none may lack, and others.
func Named(vendor, document string, needed, optional []string) *Tree {
	n := &node{forms: Object, names: make(map[string]uint8)}
	for i, name := range slices.Concat(needed, optional) {
		n.names[name] = uint8(i)
		n.members = append(n.members, &node{path: name, forms: Any})
		if i < len(needed) {
			n.needed |= 1 << i
		}
	}
	return &Tree{vendor: vendor, document: document, root: n, places: []*node{n}}
}

// Document is what kind of document the tree knows.
func (t *Tree) Document() string { return t.document }

func (t *Tree) node(path string, typ reflect.Type, o Options) *node {
	n := &node{path: path, place: -1}
	if o.Forms != nil {
		n.forms = o.Forms(path, typ)
	}
	if n.forms == Any {
		return n
	}
	switch typ.Kind() {
	case reflect.Struct:
		n.forms |= Object
		t.object(n, typ, o)
	case reflect.Slice:
		n.forms |= List
		n.elem = t.node(path+"[]", typ.Elem(), o)
	case reflect.Bool:
		n.forms = orElse(n.forms, Bool)
	case reflect.String:
		n.forms = orElse(n.forms, Text)
	default:
		n.forms = orElse(n.forms, Number)
	}
	return n
}

func orElse(f, otherwise Forms) Forms {
	if f == 0 {
		return otherwise
	}
	return f
}

func (t *Tree) object(n *node, typ reflect.Type, o Options) {
	n.place = len(t.places)
	t.places = append(t.places, n)
	n.names = make(map[string]uint8, typ.NumField())
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
		i := len(n.members)
		if i == maxMembers {
			panic(fmt.Sprintf("drift: %v has more than %d members", typ, maxMembers))
		}
		n.names[name] = uint8(i)
		n.members = append(n.members, t.node(path, f.Type, o))
		if o.Optional == nil || !o.Optional(path) {
			n.needed |= 1 << i
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
