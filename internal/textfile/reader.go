package textfile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds limit what one file may hold. Aliases can make a small file large, so the
// values that they expand to are counted.
type Bounds struct{ Bytes, Nodes int }

// Small are the bounds of a file that is written by hand from beginning to end.
func Small() Bounds { return Bounds{Bytes: 1 << 20, Nodes: 250_000} }

// maxLevel is how deeply values may be nested.
const maxLevel = 20

// Reader walks the YAML of one file and collects faults with their places.
type Reader struct {
	File   string
	Faults List
	GaveUp bool // the file holds too much to be read to its end, so what seems to be missing may be there

	// NoMerge refuses merge keys (<<) in place of expanding them.
	NoMerge bool
	// Meant words what was meant by an unknown key; [Choice] where it is nil.
	Meant func(key string, known []string) string

	bounds Bounds
	lines  []string
	nodes  int
}

// NewReader reads the file of that name, which stands in every fault.
func NewReader(file string, b Bounds) *Reader { return &Reader{File: file, bounds: b} }

// Pair is one entry of a YAML mapping.
type Pair struct{ Key, Value *yaml.Node }

// Document parses the file; nil after a fault, or where nothing was written.
// holds says what should stand there.
func (r *Reader) Document(src []byte, holds string) *yaml.Node {
	if !r.Sound(src) {
		return nil
	}
	r.lines = strings.Split(string(src), "\n")
	var doc yaml.Node
	if err := yaml.Load(src, &doc); err != nil {
		r.notYAML(err, holds)
		return nil
	}
	if len(doc.Content) == 0 {
		r.Faults.Add(Fault{File: r.File, Message: "the file is empty", Expected: holds})
		return nil
	}
	root := r.Resolve(doc.Content[0])
	if root.Kind == yaml.ScalarNode && r.fullWidthColon(len(r.lines)) {
		return nil
	}
	return root
}

// Sound reports whether the bytes are UTF-8 and not too many, whatever their format.
func (r *Reader) Sound(src []byte) bool {
	switch {
	case len(src) > r.bounds.Bytes:
		r.Faults.Add(Fault{File: r.File, Message: "the file is too large", Expected: fmt.Sprintf("at most %d MiB", r.bounds.Bytes>>20)})
	case !utf8.Valid(src):
		line := 1
		for rest := src; ; {
			c, n := utf8.DecodeRune(rest)
			if c == utf8.RuneError && n <= 1 {
				break
			}
			if c == '\n' {
				line++
			}
			rest = rest[n:]
		}
		r.Faults.Add(Fault{File: r.File, Line: line, Message: "the file is not UTF-8", Expected: `UTF-8 ("CSV UTF-8" when a spreadsheet saves it)`})
	default:
		return true
	}
	return false
}

// Line is a line of the file, counted from 1; false behind its end.
func (r *Reader) Line(n int) (string, bool) {
	if n < 1 || n > len(r.lines) {
		return "", false
	}
	return r.lines[n-1], true
}

// wideColon is a key that a full-width colon follows: to YAML that is a text.
var wideColon = regexp.MustCompile(`^ *(- +)*[\p{L}_][\p{L}\p{N}_-]*：`)

// fullWidthColon reports the nearest such key at or above a line.
func (r *Reader) fullWidthColon(line int) bool {
	for i := min(line, len(r.lines)) - 1; i >= 0; i-- {
		if at := wideColon.FindString(r.lines[i]); at != "" {
			r.Faults.Add(Fault{
				File: r.File, Line: i + 1, Column: utf8.RuneCountInString(at), Message: `not YAML: "：" after a key`, Expected: InHalfWidth(":"),
			})
			return true
		}
	}
	return false
}

// notYAML words what YAML's own reader refuses, with what is most often meant.
func (r *Reader) notYAML(err error, holds string) {
	f := syntax(r.File, err)
	if strings.Contains(f.Message, "mapping values") || strings.Contains(f.Message, "could not find expected ':'") {
		if r.fullWidthColon(f.Line) {
			return
		}
	}
	line, _ := r.Line(f.Line)
	switch {
	case f.Message == "the file is empty":
		f.Expected = holds
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		f.Expected = "blanks instead of the tab"
	case strings.Contains(line, "${"):
		f.Expected = "'single quotes' around an expression that holds ': ' or ' #', stands in { } or [ ], or begins with a quote"
	}
	r.Faults.Add(f)
}

// Fault adds what is wrong at a value; where is its path in the file.
func (r *Reader) Fault(n *yaml.Node, where, message, expected string) {
	r.Faults.Add(Fault{File: r.File, Line: n.Line, Column: n.Column, Where: where, Message: message, Expected: expected})
}

// Resolve follows an alias and counts the value that it leads to.
func (r *Reader) Resolve(n *yaml.Node) *yaml.Node {
	r.nodes++
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// Spent reports, once, that the file holds more than can be meant.
func (r *Reader) Spent(n *yaml.Node, level int) bool {
	if r.nodes <= r.bounds.Nodes && level <= maxLevel {
		return false
	}
	r.GaveUp = true
	r.Fault(n, "", "too many or too deeply nested values", "aliases (*) that do not contain themselves")
	return true
}

// Pairs is the entries of a mapping in the file's order, merge keys expanded: an
// entry of the mapping itself goes before a merged one.
func (r *Reader) Pairs(n *yaml.Node, where string, level int) []Pair {
	if r.Spent(n, level) {
		return nil
	}
	var own, merged []Pair
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], r.Resolve(n.Content[i+1])
		switch first, twice := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			r.Fault(k, where, Describe(k)+" is no key", "a word")
		case k.ShortTag() == "!!merge" && r.NoMerge:
			r.Fault(k, where, "merge keys (<<) are not read", "every key written out")
		case k.ShortTag() == "!!merge":
			merged = append(merged, r.merge(v, where, level+1)...)
		case twice:
			r.Fault(k, where, fmt.Sprintf("%q stands twice", Shorten(k.Value)), fmt.Sprintf("it once; the other is on line %d", first))
		default:
			seen[k.Value] = k.Line
			own = append(own, Pair{k, v})
		}
	}
	for _, p := range merged {
		if _, ok := seen[p.Key.Value]; !ok {
			seen[p.Key.Value] = p.Key.Line
			own = append(own, p)
		}
	}
	return own
}

func (r *Reader) merge(v *yaml.Node, where string, level int) []Pair {
	switch v.Kind {
	case yaml.MappingNode:
		return r.Pairs(v, where, level)
	case yaml.SequenceNode:
		var out []Pair
		for _, x := range v.Content {
			if m := r.Resolve(x); m.Kind == yaml.MappingNode {
				out = append(out, r.Pairs(m, where, level)...)
			}
		}
		return out
	}
	r.Fault(v, where, "<< takes a mapping", "an alias such as *common")
	return nil
}

// Section reads a mapping whose keys are known. False where it is no mapping.
func (r *Reader) Section(n *yaml.Node, where string, level int, known ...string) (map[string]*yaml.Node, bool) {
	if n.Kind != yaml.MappingNode {
		r.Fault(n, where, "is "+Describe(n), "a mapping with "+strings.Join(known, ", "))
		return nil, false
	}
	meant := r.Meant
	if meant == nil {
		meant = Choice
	}
	out := map[string]*yaml.Node{}
	for _, p := range r.Pairs(n, where, level) {
		if !slices.Contains(known, p.Key.Value) {
			r.Fault(p.Key, where, fmt.Sprintf("unknown key %q", Shorten(p.Key.Value)), meant(p.Key.Value, known))
			continue
		}
		out[p.Key.Value] = p.Value
	}
	return out, true
}

// Word reads a scalar as text, false (and a fault) where it is none or empty.
func (r *Reader) Word(n *yaml.Node, where, expected string) (string, bool) {
	if n.Kind != yaml.ScalarNode || IsEmpty(n) {
		r.Fault(n, where, "is "+Describe(n), expected)
		return "", false
	}
	return strings.TrimSpace(n.Value), true
}

// Choice reads one of several words.
func (r *Reader) Choice(n *yaml.Node, where string, words ...string) (string, bool) {
	w, ok := r.Word(n, where, OneOf(words))
	if ok && !slices.Contains(words, w) {
		r.Fault(n, where, fmt.Sprintf("cannot be %q", w), OneOf(words))
		return "", false
	}
	return w, ok
}

// IsEmpty reports a key without a value, or with a text of blanks.
func IsEmpty(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "")
}

// Describe is what stands at a node, in words that go behind "is".
func Describe(n *yaml.Node) string {
	switch {
	case IsEmpty(n):
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "an empty list"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind != yaml.ScalarNode:
		return "an alias"
	case !strings.HasPrefix(n.ShortTag(), "!!"):
		return "a value with a tag of its own"
	case n.ShortTag() == "!!str":
		return fmt.Sprintf("the text %q", Shorten(n.Value))
	}
	return Shorten(n.Value)
}

// Shorten cuts a text to what a fault's line shows of it.
func Shorten(text string) string {
	const most = 60
	text = strings.ToValidUTF8(text, "?")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
