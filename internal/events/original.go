package events

import (
	"encoding/json"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AsSent is the data with every member of the order's object as Weiban sent it,
// and no Original.
func (e Enriched) AsSent() Enriched {
	for pointer, sent := range e.Original {
		noun, path, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
		switch Noun(noun) {
		case WorkOrder:
			e.WorkOrder = put(e.WorkOrder, strings.Split(path, "/"), sent)
		case Opportunity:
			e.Opportunity = put(e.Opportunity, strings.Split(path, "/"), sent)
		}
	}
	e.Original = nil
	return e
}

// lenient reads halves of surrogate pairs, as package strictjson does.
var lenient = jsontext.AllowInvalidUTF8(true)

// put is doc with another value at a path; doc as it is where there is no such
// place.
func put(doc json.RawMessage, path []string, value json.RawMessage) json.RawMessage {
	if len(path) == 0 {
		return value
	}
	var members map[string]json.RawMessage
	if jsonv2.Unmarshal(doc, &members, lenient) == nil && members != nil {
		members[path[0]] = put(members[path[0]], path[1:], value)
		return encoded(members)
	}
	var rows []json.RawMessage
	if i, err := strconv.Atoi(path[0]); err == nil && jsonv2.Unmarshal(doc, &rows, lenient) == nil && i >= 0 && i < len(rows) {
		rows[i] = put(rows[i], path[1:], value)
		return encoded(rows)
	}
	return doc
}

func encoded(v any) json.RawMessage {
	b, err := JSON(v)
	if err != nil {
		return nil // v holds JSON that was read
	}
	return b
}
