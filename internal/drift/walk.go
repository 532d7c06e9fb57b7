package drift

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What is wrong with a member, or with a whole document.
type What string

// The kinds of drift.
const (
	Unknown       What = "unknown"        // the types do not know the member
	Gone          What = "gone"           // a member that every such document has is absent
	OtherType     What = "other type"     // it is there in a form that its type does not expect
	NotUnderstood What = "not understood" // nothing is known of the document
)

// Finding is one member of a document that is not as the types know it. It
// holds no value.
type Finding struct {
	What What
	// Path names the member from the document's root, e.g.
	// processing_flows[].content.pic; "" is the document itself.
	Path string
	// Shape is what is there; none where the member is gone.
	Shape Forms
	// Of the objects that can have the member, this document has Of; Count of them
	// are concerned.
	Count, Of int

	in   string // path of the object that has the member, or the constant document
	last int    // the object that was counted last
}

// maxFindings bounds the findings of one document, what is gone apart.
const maxFindings = 100

// Look walks a document and gives what is not as the tree knows it, in the order
// of the document, what is gone last. What is not JSON is one finding, and so is
// any document of which nothing is known.
func (t *Tree) Look(doc []byte) []Finding {
	found, _ := t.look(doc)
	return found
}

// lenient is what the readers of documents allow: what the bridge can use can
// drift.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// document stands for all of it in place of an object's path.
const document = "$"

// look is Look that also gives how many objects of each path there are.
func (t *Tree) look(doc []byte) ([]Finding, map[string]int) {
	w := walker{tree: t, objects: map[string]int{document: 1}}
	if json.Unmarshal(doc, &w, lenient) != nil {
		return []Finding{{What: NotUnderstood, Shape: notJSON, Count: 1, Of: 1, in: document}}, map[string]int{document: 1}
	}
	found := append(w.found, w.gone...)
	for i, f := range found {
		found[i].Of = w.objects[f.in]
	}
	return found, w.objects
}

// walker goes over one document.
type walker struct {
	tree        *Tree
	objects     map[string]int // by path
	found, gone []Finding
	serial      int // objects so far
}

// owner is the object that has the value which is looked at.
type owner struct {
	path   string
	serial int
}

// UnmarshalJSONFrom walks the document that the decoder is at.
func (w *walker) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if w.tree.root == nil {
		report(&w.found, NotUnderstood, "", owner{path: document}, formOf(dec.PeekKind()))
		return dec.SkipValue()
	}
	return w.value(dec, w.tree.root, owner{path: document})
}

func (w *walker) value(dec *jsontext.Decoder, n *node, in owner) error {
	switch f := formOf(dec.PeekKind()); {
	case n.forms&f == 0:
		raw, err := dec.ReadValue()
		if err == nil && (f != List || len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0) {
			report(&w.found, OtherType, n.path, in, f)
		}
		return err
	case f == Object && n.members != nil:
		return w.object(dec, n)
	case f == List && n.elem != nil:
		return w.list(dec, n.elem, in)
	default:
		return dec.SkipValue()
	}
}

func (w *walker) list(dec *jsontext.Decoder, n *node, in owner) error {
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() != ']' {
		err = w.value(dec, n, in)
	}
	if err == nil {
		_, err = dec.ReadToken()
	}
	return err
}

func (w *walker) object(dec *jsontext.Decoder, n *node) error {
	w.serial++
	in := owner{n.path, w.serial}
	w.objects[n.path]++
	seen := uint64(0)
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() != '}' {
		var name jsontext.Value
		if name, err = dec.ReadValue(); err != nil {
			return err
		}
		plain := name[1 : len(name)-1]
		if bytes.IndexByte(plain, '\\') >= 0 {
			plain, _ = jsontext.AppendUnquote(nil, name) // an error is about UTF-8 alone
		}
		if m, known := n.members[string(plain)]; known {
			seen |= m.bit
			err = w.value(dec, m, in)
			continue
		}
		report(&w.found, Unknown, below(n.path, shown(string(plain), n.members)), in, formOf(dec.PeekKind()))
		err = dec.SkipValue()
	}
	if err != nil {
		return err
	}
	for _, m := range n.needed {
		if seen&m.bit == 0 {
			report(&w.gone, Gone, m.path, in, 0)
		}
	}
	_, err = dec.ReadToken()
	return err
}

// report counts a finding once for each object that it is in.
func report(found *[]Finding, what What, path string, in owner, shape Forms) {
	i := slices.IndexFunc(*found, func(f Finding) bool { return f.What == what && f.Path == path })
	if i < 0 {
		if i = len(*found); i == maxFindings {
			return
		}
		*found = append(*found, Finding{What: what, Path: path, in: in.path, last: -1})
	}
	f := &(*found)[i]
	f.Shape |= shape
	if f.last != in.serial {
		f.Count, f.last = f.Count+1, in.serial
	}
}

// formOf is the form of a value that begins so. A decoder that cannot go on gives
// an error at the next step.
func formOf(k jsontext.Kind) Forms {
	switch k {
	case '"':
		return Text
	case '0':
		return Number
	case 't', 'f':
		return Bool
	case '[':
		return List
	case '{':
		return Object
	default:
		return Null
	}
}
