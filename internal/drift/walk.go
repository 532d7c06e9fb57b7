package drift

import (
	"math/bits"
	"slices"
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

	place int // of the object that has the member; -1 for the document
	last  int // the object that was counted last
}

// maxFindings bounds the findings of one document that its types do not bound.
const maxFindings = 100

// Look walks a document and gives what is not as the tree knows it, in the order
// of the document, what is gone last. What is not JSON is one finding, and so is
// any document of which nothing is known.
func (t *Tree) Look(doc []byte) []Finding {
	found, _ := t.look(doc, nil)
	return found
}

// look is Look that also gives, into met, how many objects of each place there
// are.
func (t *Tree) look(doc []byte, met []int) ([]Finding, []int) {
	w := walker{scanner: scanner{b: doc}, tree: t, met: append(met[:0], make([]int, len(t.places))...)}
	if t.root == nil {
		return []Finding{{What: NotUnderstood, Shape: w.whole(), Count: 1, Of: 1, place: -1}}, w.met
	}
	w.value(t.root, owner{place: -1})
	if w.space(); w.bad || w.i < len(doc) {
		clear(w.met)
		return []Finding{{What: NotUnderstood, Shape: notJSON, Count: 1, Of: 1, place: -1}}, w.met
	}
	w.gone()
	for i := range w.found {
		f := &w.found[i]
		if f.Of = 1; f.place >= 0 {
			f.Of = w.met[f.place]
		}
	}
	return w.found, w.met
}

// walker goes over one document.
type walker struct {
	scanner
	tree   *Tree
	met    []int     // objects by place
	absent [][]int   // by place and member; nil where nothing is absent
	found  []Finding // what is gone is added at the end
	serial int       // objects so far
}

// owner is the object that has the value which is looked at.
type owner struct{ place, serial int }

// whole is the form of a document of which nothing is known.
func (w *walker) whole() Forms {
	f := w.shape()
	if w.space(); w.bad || w.i < len(w.b) {
		return notJSON
	}
	return f
}

func (w *walker) value(n *node, in owner) {
	c := w.peek()
	f := formOf(c)
	if f != Null && n.forms&f == 0 && (c != '[' || !w.empty()) {
		w.report(OtherType, n.path, in)
		return
	}
	switch {
	case c == '{' && n.names != nil:
		w.object(n)
	case c == '[' && n.elem != nil:
		w.list(n.elem, in)
	default:
		w.skip()
	}
}

func (w *walker) list(n *node, in owner) {
	w.i++
	for first := true; !w.closed(']', &first); {
		w.value(n, in)
	}
}

func (w *walker) object(n *node) {
	w.serial++
	in := owner{n.place, w.serial}
	w.met[n.place]++
	seen := uint64(0)
	w.i++
	for first := true; !w.closed('}', &first); {
		name := w.name()
		if i, known := n.names[string(name)]; known {
			seen |= 1 << i
			w.value(n.members[i], in)
			continue
		}
		if w.bad {
			return
		}
		w.report(Unknown, below(n.path, shown(string(name), n.names)), in)
	}
	for lost := n.needed &^ seen; lost != 0; lost &= lost - 1 {
		w.miss(n, bits.TrailingZeros64(lost))
	}
}

func (w *walker) miss(n *node, member int) {
	if w.absent == nil {
		w.absent = make([][]int, len(w.tree.places))
	}
	if w.absent[n.place] == nil {
		w.absent[n.place] = make([]int, len(n.members))
	}
	w.absent[n.place][member]++
}

// gone makes findings of what was absent.
func (w *walker) gone() {
	for place, counts := range w.absent {
		for i, n := range counts {
			if n > 0 {
				w.found = append(w.found, Finding{What: Gone, Path: w.tree.places[place].members[i].path, Count: n, place: place})
			}
		}
	}
}

// report takes a finding down, once for each object that it is in, and steps over
// the value.
func (w *walker) report(what What, path string, in owner) {
	shape := w.shape()
	i := slices.IndexFunc(w.found, func(f Finding) bool { return f.What == what && f.Path == path })
	switch {
	case i < 0 && len(w.found) == maxFindings:
		return
	case i < 0:
		i = len(w.found)
		w.found = append(w.found, Finding{What: what, Path: path, place: in.place, last: -1})
	}
	f := &w.found[i]
	f.Shape |= shape
	if f.last != in.serial {
		f.Count, f.last = f.Count+1, in.serial
	}
}
