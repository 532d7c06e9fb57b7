package weiban

import (
	"slices"
	"strings"
)

// AsSent is the data of a callback's event with the members as Weiban sent them,
// for whoever looks at what Weiban sends. What a repair of bytes changed stays
// repaired, and data that is not an object stays as it is.
func AsSent(data []byte) []byte {
	d, err := readPlain(data)
	members, ok := d.tree.(map[string]any)
	if err != nil || !ok || len(d.odd) > 0 {
		return data
	}
	kept, ok := members[originals].(map[string]any)
	if !ok {
		return data
	}
	delete(members, originals)
	pointers := sortedNames(kept)
	slices.Reverse(pointers) // what is inside a member before the member
	for _, pointer := range pointers {
		if pointer != "" {
			putBack(members, strings.Split(pointer, "/")[1:], kept[pointer])
		}
	}
	sent, err := appendJSON(nil, members)
	if err != nil {
		return data
	}
	return sent
}

func putBack(in any, path []string, v any) {
	members, ok := in.(map[string]any)
	switch name := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0]); {
	case !ok: // inside a list: that is never fitted
	case len(path) == 1:
		members[name] = v
	default:
		putBack(members[name], path[1:], v)
	}
}
