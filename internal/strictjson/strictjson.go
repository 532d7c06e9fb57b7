// Package strictjson refuses JSON that two readers could understand differently.
//
// Everything that reads bytes from outside (callbacks, vendor answers, event
// data, examples) asks it first. encoding/json accepts duplicate keys, keeps
// quiet about bytes behind the value's end, and schema validators have been
// crashed by numbers such as 1e10000000; after [Check] none of that can happen.
// It never repairs and never decodes into types of its own.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// Check reports whether b is exactly one JSON value: valid UTF-8, no duplicate
// keys in any object, nesting, number length and exponent within the bounds
// above, and nothing but white space behind it. The error is an [*Error].
func Check(b []byte) error {
	if err := bounds(b); err != nil {
		return err
	}
	return whole(b)
}

// Decode checks b and decodes it with numbers kept as [json.Number].
func Decode(b []byte) (any, error) {
	if err := Check(b); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, &Error{Offset: dec.InputOffset(), Fault: "not JSON", Err: err}
	}
	return v, nil
}

// Unmarshal checks b and decodes it into v, unknown members ignored.
func Unmarshal(b []byte, v any) error {
	if err := Check(b); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return &Error{Offset: te.Offset, Fault: "member " + te.Field + " cannot be a " + te.Value, Err: err}
		}
		return &Error{Fault: "cannot be decoded", Err: err}
	}
	return nil
}
