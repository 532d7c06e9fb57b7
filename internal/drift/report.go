package drift

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// AtTimes is what a [Report] calls a member that some documents lack and others
// have.
const AtTimes What = "absent at times"

// Bounds of a report. What is beyond them is left out; it is one vendor's
// nonsense, and there is enough of it to be seen.
const (
	maxKinds = 100
	maxLines = 500 // of one kind
)

// settled is after how many documents without it a member is gone, although
// older ones have it.
const settled = 20

// Recorded is a document as it was recorded.
type Recorded struct {
	Kind  string // how the report names such documents; its own words, or bounded words of the vendor
	JSON  []byte
	At    time.Time
	Event string // id of the event that holds it
	Order string // order number or opportunity id
}

// Line is one member of one kind of document that is not as the types know it.
type Line struct {
	What  What      `json:"what"`
	Path  string    `json:"path"`            // "" is the whole document
	Shape string    `json:"shape,omitempty"` // the JSON types that it was found with
	Count int       `json:"count"`           // objects concerned
	Of    int       `json:"of"`              // objects that can have the member
	First time.Time `json:"first"`           // the first and the last document with it
	Last  time.Time `json:"last"`
	Event string    `json:"event"` // the last of these documents
	Order string    `json:"order"`

	shape Forms
	in    string
	last  int       // the document that was counted last
	run   int       // documents without the member, since one had it
	since time.Time // the first of these
}

// Kind is what was found in the documents of one kind.
type Kind struct {
	Vendor    string `json:"vendor"`
	Document  string `json:"document"`
	Documents int    `json:"documents"`
	Lines     []Line `json:"-"` // by what it is, then by path
}

// Report collects the drift of recorded documents, which are added oldest first.
// It serves one goroutine and keeps counts and one example, not documents.
type Report struct{ kinds map[string]*kind }

type kind struct {
	Kind
	objects map[string]int // by path
	lines   map[lineKey]*Line
}

type lineKey struct {
	what What
	path string
}

// NewReport returns an empty report.
func NewReport() *Report { return &Report{kinds: make(map[string]*kind)} }

// Add looks at a document.
func (r *Report) Add(t *Tree, d Recorded) {
	k := r.kinds[d.Kind]
	if k == nil {
		if len(r.kinds) == maxKinds {
			return
		}
		k = &kind{Kind: Kind{Vendor: t.vendor, Document: d.Kind}, objects: make(map[string]int), lines: make(map[lineKey]*Line)}
		r.kinds[d.Kind] = k
	}
	k.Documents++
	found, objects := t.look(d.JSON)
	for _, f := range found {
		k.add(f, d)
	}
	for path, n := range objects {
		k.objects[path] += n
	}
	// What this document has is not gone.
	for key, l := range k.lines {
		if key.what == Gone && objects[l.in] > 0 && l.last != k.Documents {
			l.run = 0
		}
	}
}

func (k *kind) add(f Finding, d Recorded) {
	key := lineKey{f.What, f.Path}
	l := k.lines[key]
	if l == nil {
		if len(k.lines) == maxLines {
			return
		}
		l = &Line{What: f.What, Path: f.Path, First: d.At, in: f.in}
		k.lines[key] = l
	}
	l.shape |= f.Shape
	l.Count += f.Count
	l.Last, l.Event, l.Order = d.At, d.Event, d.Order
	if f.Count < f.Of {
		return // other objects of the document have the member
	}
	if l.run == 0 {
		l.since = d.At
	}
	l.run, l.last = l.run+1, k.Documents
}

// Kinds are the kinds of document that were added, by name. What is absent only
// at times is among their lines if all is set.
func (r *Report) Kinds(all bool) []Kind {
	var out []Kind
	for _, name := range slices.Sorted(maps.Keys(r.kinds)) {
		k := r.kinds[name]
		made := k.Kind
		for _, l := range k.lines {
			x := *l
			x.Shape, x.Of = l.shape.String(), k.objects[l.in]
			if l.What == Gone {
				switch {
				case l.Count == x.Of:
				case l.run >= settled:
					x.First = l.since
				case all:
					x.What = AtTimes
				default:
					continue
				}
			}
			made.Lines = append(made.Lines, x)
		}
		slices.SortFunc(made.Lines, func(a, b Line) int {
			return cmp.Or(cmp.Compare(rank(a.What), rank(b.What)), strings.Compare(a.Path, b.Path))
		})
		out = append(out, made)
	}
	return out
}

// rank puts first what a person should see first.
func rank(w What) int {
	return slices.Index([]What{NotUnderstood, OtherType, Gone, Unknown, AtTimes}, w)
}
