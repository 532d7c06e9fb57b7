package weiban

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gongdan-bridge/internal/strictjson"
)

// A tree is JSON as nil, bool, string, [json.Number], []any and map[string]any,
// and as the two types below where a reader could be led astray.
type (
	// several are the values of a member whose name one object gives more than
	// once, in their order. They differ.
	several []any

	// literal is JSON that is kept as its text: a number beyond the bounds of
	// package strictjson, or what is nested deeper than maxTree.
	literal string
)

// maxTree is how deep arrays and objects are read. It leaves the events that
// hold the tree below [strictjson.MaxDepth].
const maxTree = strictjson.MaxDepth - 8

// document is a plaintext that was read.
type document struct {
	repaired
	tree any
}

// readPlain reads a plaintext, which is repaired only where it is not JSON as it
// came. The error says where it ends to be JSON and holds nothing of it.
func readPlain(plaintext []byte) (document, error) {
	d := document{repaired: repaired{text: plaintext}}
	err := d.parse()
	if err != nil {
		d = document{repaired: repair(plaintext)}
		err = d.parse()
	}
	if err != nil {
		return d, err
	}
	// A text that holds the object. Each level of them is shorter by its quotes.
	for range 3 {
		text, ok := d.tree.(string)
		if !ok {
			break
		}
		inner := document{repaired: d.repaired}
		if inner.text = []byte(text); inner.parse() != nil {
			break
		}
		d = inner
		d.say(oddText)
	}
	return d, nil
}

func (d *document) parse() error {
	if err := jsonv2.Unmarshal(d.text, d, jsontext.AllowDuplicateNames(true)); err != nil {
		return strictjson.NewError(d.text, err)
	}
	return nil
}

// UnmarshalJSONFrom reads the text's one value.
func (d *document) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	d.tree, err = d.value(dec, 0)
	return err
}

func (d *document) value(dec *jsontext.Decoder, depth int) (any, error) {
	if k := dec.PeekKind(); depth >= maxTree && (k == '{' || k == '[') {
		raw, err := dec.ReadValue()
		d.say(oddDeep)
		return literal(raw), err
	}
	t, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		return d.object(dec, depth+1)
	case '[':
		return d.array(dec, depth+1)
	case '"':
		return t.String(), nil
	case '0':
		return d.number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil
	}
}

func (d *document) array(dec *jsontext.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.PeekKind() != ']' {
		v, err := d.value(dec, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.ReadToken()
	return list, err
}

func (d *document) object(dec *jsontext.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // the next token makes name void
		v, err := d.value(dec, depth)
		if err != nil {
			return nil, err
		}
		if before, twice := members[key]; twice {
			v = d.twice(before, v)
		}
		members[key] = v
	}
	_, err := dec.ReadToken()
	return members, err
}

// twice is what a name stands for that is given again: one value if both are the
// same.
func (d *document) twice(before, v any) any {
	d.say(oddDuplicate)
	all, ok := before.(several)
	if !ok {
		all = several{before}
	}
	if bytes.Equal(canonical(nil, all[len(all)-1]), canonical(nil, v)) {
		return before
	}
	return append(all, v)
}

func (d *document) number(text string) any {
	exponent := 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		n, err := strconv.Atoi(text[at+1:])
		exponent = max(n, -n)
		if err != nil {
			exponent = strictjson.MaxExponent + 1
		}
	}
	if len(text) > strictjson.MaxNumber || exponent > strictjson.MaxExponent {
		d.say(oddNumber)
		return literal(text)
	}
	return json.Number(text)
}

// inside is the list or object that a text holds as JSON, also as the JSON of
// such a text.
func inside(v any) (any, bool) {
	text, ok := v.(string)
	if text = strings.TrimSpace(text); !ok || text == "" || text[0] != '{' && text[0] != '[' && text[0] != '"' {
		return nil, false
	}
	d := document{repaired: repaired{text: []byte(text)}}
	if d.parse() != nil || len(d.odd) > 0 {
		return nil, false
	}
	if text[0] == '"' {
		return inside(d.tree)
	}
	return d.tree, true
}

// objectOf is a value that stands for an object: one, the JSON text of one, or the
// empty list that PHP writes for an empty one.
func objectOf(v any) (map[string]any, bool) {
	if inner, ok := inside(v); ok {
		v = inner
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		return map[string]any{}, true
	}
	members, ok := v.(map[string]any)
	return members, ok
}
