package config

import (
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// follow takes an alias to what it stands for. The table's depth bounds the walk, so a node that
// holds itself does no harm.
func follow(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// isNothing reports a key without a value, as a section has when all of it is commented out.
func isNothing(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// parseNode reads a scalar by a setting's type. For what is an identifier YAML's own idea of the
// type does not matter, so that 0123 is kept as it is written; a null is nothing, and a truth value
// is no text unless it is quoted.
func parseNode(spec Setting, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.ScalarNode || !slices.Contains(tagsOf(spec.Type), n.Tag) {
		return nil, false
	}
	return spec.parse(n.Value)
}

func tagsOf(kind string) []string {
	switch kind {
	case kindText, kindName, kindID, kindIDs:
		return []string{"!!str", "!!int", "!!float", "!!timestamp"}
	case kindCount:
		return []string{"!!int"}
	case kindSwitch:
		return []string{"!!bool"}
	default:
		return []string{"!!str"}
	}
}

// describe is what stands at a node, in words for "found".
func describe(n *yaml.Node) string {
	switch {
	case n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "an empty list"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Tag != "" && n.Tag[:min(2, len(n.Tag))] != "!!":
		return "a value with a tag of its own"
	case n.Tag == "!!str" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && isNumber(n.Value):
		return "the text " + strconv.Quote(n.Value)
	default:
		return strconv.Quote(shorten(n.Value))
	}
}

// shorten keeps a fault's line readable.
func shorten(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func markOf(n *yaml.Node) mark { return mark{n.Line, n.Column} }

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}
