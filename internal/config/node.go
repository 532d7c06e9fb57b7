package config

import (
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// isNull reports a key without a value, as a section has when all of it is commented out.
func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// parseNode reads a scalar by a setting's type. For what is an identifier YAML's own idea of the
// type does not matter, so that 0123 is kept as it is written; a null is nothing, and a truth value
// is no text unless it is quoted.
func parseNode(spec Setting, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.ScalarNode || !slices.Contains(tagsOf(spec.Type), n.ShortTag()) {
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

// fieldNames are the keys of a section.
func fieldNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if name := f.Tag.Get("yaml"); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
