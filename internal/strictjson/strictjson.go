// Package strictjson refuses JSON that two readers could understand differently.
//
// Everything that reads bytes from outside (callbacks, vendor answers, event
// data, examples) asks it first, or reads with it. It adds bounds to what
// jsontext refuses by itself, such as duplicate names and bytes behind the
// value's end: schema validators have been crashed by numbers such as
// 1e10000000. It never repairs.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of what is accepted. They are far above what either vendor sends
// (a 19-digit id, four levels of nesting) and far below what hurts a reader.
const (
	MaxDepth    = 72 // arrays and objects inside each other: 64 of a vendor, and what our events put around them
	MaxNumber   = 40 // bytes of one number token
	MaxExponent = 30 // magnitude of a number's exponent
)

// Error says what is wrong and where, never what the document contains.
type Error struct {
	Offset int64  // byte offset near the fault
	Fault  string // e.g. "duplicate key", "too deep"
	Err    error  // cause, if the decoder gave one
}

func (e *Error) Error() string {
	return fmt.Sprintf("json at byte %d: %s", e.Offset, e.Fault)
}

func (e *Error) Unwrap() error { return e.Err }

// lenient lets escaped halves of surrogate pairs through: Weiban's own data has
// been stored with them. Bytes that are not UTF-8 are refused before.
var lenient = jsontext.AllowInvalidUTF8(true)

// Check reports whether b is exactly one JSON value: valid UTF-8, no duplicate
// keys in any object, nesting, number length and exponent within the bounds
// above, and nothing but white space behind it. The error is an [*Error].
func Check(b []byte) error {
	if err := bounds(b); err != nil {
		return err
	}
	if jsontext.Value(b).IsValid() {
		return nil
	}
	return read(b, new(jsontext.Value)) // for where and why
}

// Decode checks b and decodes it with numbers kept as [json.Number].
func Decode(b []byte) (any, error) {
	var t tree
	if err := Unmarshal(b, &t); err != nil {
		return nil, err
	}
	return t.value, nil
}

// Unmarshal checks b and decodes it into v, unknown members ignored. A
// [json.Number] in v cannot be read so.
func Unmarshal(b []byte, v any) error {
	if err := bounds(b); err != nil {
		return err
	}
	return read(b, v)
}

func read(b []byte, v any) error {
	if !utf8.Valid(b) {
		return &Error{Fault: "not valid UTF-8"}
	}
	if err := jsonv2.Unmarshal(b, v, lenient); err != nil {
		return NewError(b, err)
	}
	return nil
}

// NewError is a decoder's error about b without its text, which can quote b.
func NewError(b []byte, err error) *Error {
	e := &Error{Fault: "not JSON"}
	var syntax *jsontext.SyntacticError
	var misfit *jsonv2.SemanticError
	switch {
	case errors.As(err, &syntax):
		e.Offset = syntax.ByteOffset
		if whole := b[:min(int(e.Offset), len(b))]; len(whole) > 0 && jsontext.Value(whole).IsValid(lenient) {
			e.Fault = "more after the end of the value"
		}
	case errors.As(err, &misfit):
		path := strings.TrimPrefix(string(misfit.JSONPointer), "/")
		e.Fault, e.Err = fmt.Sprintf("member %s cannot be a %s", strings.ReplaceAll(path, "/", "."), misfit.JSONKind), err
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		e.Fault = "duplicate key"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Fault = "ends too early"
	}
	return e
}

// tree is any value, numbers as json.Number.
type tree struct{ value any }

// UnmarshalJSONFrom reads the value that comes next.
func (t *tree) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	t.value, err = value(dec)
	return err
}

// value decodes the value that comes next.
func value(dec *jsontext.Decoder) (any, error) {
	t, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		members := map[string]any{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // the next token makes name void
			if members[key], err = value(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.ReadToken()
		return members, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := value(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.ReadToken()
		return list, err
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil
	}
}
