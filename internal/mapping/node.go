package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"gongdan-bridge/internal/textfile"
)

// Bounds of a mapping file. Aliases can make a small file large: what they
// expand to is counted.
const (
	maxFile  = 1 << 20
	maxNodes = 50_000
	maxLevel = 20
)

// reader walks the file's YAML and collects faults with their places.
type reader struct {
	file   string
	lines  []string
	faults textfile.List
	nodes  int
	gaveUp bool // too many nodes: what seems to be missing may be there
}

// pair is one entry of a YAML mapping.
type pair struct{ key, value *yaml.Node }

// document parses the file; nil where there is nothing to walk.
func (r *reader) document(src []byte) *yaml.Node {
	whole := func(message, expected string) *yaml.Node {
		r.faults.Add(textfile.Fault{File: r.file, Message: message, Expected: expected})
		return nil
	}
	switch {
	case len(src) > maxFile:
		return whole("the file is too large", "at most 1 MiB; large tables have files of their own")
	case !utf8.Valid(src):
		return whole("the file is not UTF-8", "")
	}
	r.lines = strings.Split(string(src), "\n")
	var doc yaml.Node
	if err := yaml.Load(src, &doc); err != nil {
		r.notYAML(err)
		return nil
	}
	if len(doc.Content) == 0 {
		return whole("the file is empty", "version, bill and rules")
	}
	root := r.resolve(doc.Content[0])
	if root.Kind == yaml.ScalarNode && r.fullWidthColon(len(r.lines)) {
		return nil
	}
	return root
}

// wideColon is a key that a full-width colon follows: to YAML that is a text.
var wideColon = regexp.MustCompile(`^ *(- +)*[\p{L}_][\p{L}\p{N}_-]*：`)

// fullWidthColon reports the nearest such key at or above a line.
func (r *reader) fullWidthColon(line int) bool {
	for i := min(line, len(r.lines)) - 1; i >= 0; i-- {
		if at := wideColon.FindString(r.lines[i]); at != "" {
			r.faults.Add(textfile.Fault{
				File: r.file, Line: i + 1, Column: utf8.RuneCountInString(at), Message: `not YAML: "：" after a key`, Expected: textfile.InHalfWidth(":"),
			})
			return true
		}
	}
	return false
}

// notYAML words what YAML's own reader refuses, with what is most often meant.
func (r *reader) notYAML(err error) {
	f := textfile.YAML(r.file, err)
	if strings.Contains(f.Message, "mapping values") || strings.Contains(f.Message, "could not find expected ':'") {
		if r.fullWidthColon(f.Line) {
			return
		}
	}
	line := ""
	if f.Line > 0 && f.Line <= len(r.lines) {
		line = r.lines[f.Line-1]
	}
	switch {
	case f.Message == "the file is empty":
		f.Expected = "version, bill and rules"
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		f.Expected = "blanks instead of the tab"
	case strings.Contains(line, "${"):
		f.Expected = "'single quotes' around an expression that holds ': ' or ' #', stands in { } or [ ], or begins with a quote"
	}
	r.faults.Add(f)
}

func (r *reader) fault(n *yaml.Node, where, message, expected string) {
	r.faults.Add(textfile.Fault{File: r.file, Line: n.Line, Column: n.Column, Where: where, Message: message, Expected: expected})
}

// resolve follows an alias and counts what it leads to.
func (r *reader) resolve(n *yaml.Node) *yaml.Node {
	r.nodes++
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// spent reports, once, that the file holds more than can be meant.
func (r *reader) spent(n *yaml.Node, level int) bool {
	if r.nodes <= maxNodes && level <= maxLevel {
		return false
	}
	r.gaveUp = true
	r.fault(n, "", "too many or too deeply nested values", "aliases (*) that do not contain themselves")
	return true
}

// pairs is the entries of a mapping in the file's order, merge keys expanded: an
// entry of the mapping itself goes before a merged one.
func (r *reader) pairs(n *yaml.Node, where string, level int) []pair {
	if r.spent(n, level) {
		return nil
	}
	var own, merged []pair
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], r.resolve(n.Content[i+1])
		if k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge" {
			merged = append(merged, r.merge(v, where, level+1)...)
			continue
		}
		if first, twice := seen[k.Value]; twice {
			r.fault(k, where, fmt.Sprintf("%q stands twice", k.Value), fmt.Sprintf("it once; the other is on line %d", first))
			continue
		}
		seen[k.Value] = k.Line
		own = append(own, pair{k, v})
	}
	for _, p := range merged {
		if _, ok := seen[p.key.Value]; !ok {
			seen[p.key.Value] = p.key.Line
			own = append(own, p)
		}
	}
	return own
}

func (r *reader) merge(v *yaml.Node, where string, level int) []pair {
	switch v.Kind {
	case yaml.MappingNode:
		return r.pairs(v, where, level)
	case yaml.SequenceNode:
		var out []pair
		for _, x := range v.Content {
			if m := r.resolve(x); m.Kind == yaml.MappingNode {
				out = append(out, r.pairs(m, where, level)...)
			}
		}
		return out
	}
	r.fault(v, where, "<< takes a mapping", "an alias such as *common")
	return nil
}

// section reads a mapping whose keys are known. False where it is no mapping.
func (r *reader) section(n *yaml.Node, where string, level int, known ...string) (map[string]*yaml.Node, bool) {
	if n.Kind != yaml.MappingNode {
		r.fault(n, where, "is "+nodeKind(n), "a mapping with "+list(known))
		return nil, false
	}
	out := map[string]*yaml.Node{}
	for _, p := range r.pairs(n, where, level) {
		if !slices.Contains(known, p.key.Value) {
			r.fault(p.key, where, fmt.Sprintf("unknown key %q", p.key.Value), textfile.Choice(p.key.Value, known))
			continue
		}
		out[p.key.Value] = p.value
	}
	return out, true
}

// word reads a scalar as text, false (and a fault) where it is none or empty.
func (r *reader) word(n *yaml.Node, where, expected string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "" {
		r.fault(n, where, "is "+nodeKind(n), expected)
		return "", false
	}
	return strings.TrimSpace(n.Value), true
}

// choice reads one of several words.
func (r *reader) choice(n *yaml.Node, where string, words ...string) (string, bool) {
	w, ok := r.word(n, where, textfile.OneOf(words))
	if ok && !slices.Contains(words, w) {
		r.fault(n, where, fmt.Sprintf("cannot be %q", w), textfile.OneOf(words))
		return "", false
	}
	return w, ok
}

func nodeKind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		if len(n.Content) == 0 {
			return "an empty list"
		}
		return "a list"
	case n.ShortTag() == "!!null" || strings.TrimSpace(n.Value) == "":
		return "empty"
	}
	return fmt.Sprintf("the text %q", n.Value)
}

func list(words []string) string { return strings.Join(words, ", ") }
