package weiban

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gongdan-bridge/internal/strictjson"
)

// The scalars below read every form in which Weiban has been seen to send, or
// may be expected to send, one and the same thing. null and the empty text
// always read as the zero value. What cannot be read at all (an object where a
// number belongs) is a *json.UnmarshalTypeError that names the member and not
// what it holds. Their kinds are plain (string, int64, bool, []string), so that
// a mapping can use them as they are.
type (
	// ID is an identifier, sent as text or as number: always text here, with
	// exactly the digits that were sent.
	ID string

	// Text is any text. Where Weiban declares no type, or sends something else
	// than declared, a number or boolean is its literal, and a list or an object
	// its compact JSON.
	Text string

	// Decimal is a number kept as exact decimal text, e.g. "12.5".
	Decimal string

	// Int is a whole number, sent as number, text or boolean.
	Int int64

	// Flag is yes or no, sent as boolean, as 0 and 1, or as text of these.
	Flag bool

	// Unix is a moment in whole seconds since 1970, sent in any form that [Moment]
	// reads. Zero means that none was sent.
	Unix int64

	// Texts is a list of texts, sent as list, as the text of its JSON, null, empty
	// text or one text.
	// Empty members are left out; members that are no text are read as [Text].
	Texts []string
)

// Time is the moment in UTC; the zero time if none was sent.
func (u Unix) Time() time.Time {
	if u == 0 {
		return time.Time{}
	}
	return time.Unix(int64(u), 0).UTC()
}

// form is what sort of JSON value something is.
type form string

const (
	formNull   form = "null"
	formText   form = "string"
	formNumber form = "number"
	formBool   form = "bool"
	formList   form = "array"
	formObject form = "object"
)

// scalar takes a JSON value apart: its form, and as text a string's content, a
// number's or boolean's literal, and a list's or an object's JSON.
func scalar(b []byte) (text string, f form) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return "", formNull
	}
	switch b[0] {
	case 'n':
		return "", formNull
	case 't', 'f':
		return string(b), formBool
	case '"':
		// Most texts have no escapes in them and need no decoder.
		if len(b) >= 2 && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b) {
			return string(b[1 : len(b)-1]), formText
		}
		return scalarOf(value(b))
	case '[', '{':
		return scalarOf(value(b))
	default:
		return string(b), formNumber
	}
}

// scalarOf is scalar of a value that was decoded with its numbers kept.
func scalarOf(v any) (text string, f form) {
	switch v := v.(type) {
	case string:
		return v, formText
	case json.Number:
		return v.String(), formNumber
	case bool:
		return strconv.FormatBool(v), formBool
	case []any:
		return string(encoded(v)), formList
	case map[string]any:
		return string(encoded(v)), formObject
	default:
		return "", formNull
	}
}

// value decodes what is already known to be JSON, with its numbers kept.
func value(b []byte) any {
	v, err := strictjson.Decode(b)
	if err != nil {
		return nil
	}
	return v
}

// take sets v to what was read, or says that it cannot be read.
func take[T any](v *T, read T, ok bool, f form) error {
	if !ok {
		return &json.UnmarshalTypeError{Value: string(f), Type: reflect.TypeFor[T]()}
	}
	*v = read
	return nil
}

// UnmarshalJSON reads text or number.
func (v *ID) UnmarshalJSON(b []byte) error {
	text, f := scalar(b)
	return take(v, ID(text), f == formText || f == formNumber || f == formNull, f)
}

// UnmarshalJSON reads anything.
func (v *Text) UnmarshalJSON(b []byte) error {
	text, f := scalar(b)
	return take(v, Text(text), true, f)
}

// UnmarshalJSON reads a number, or text that is one.
func (v *Decimal) UnmarshalJSON(b []byte) error {
	text, f := scalar(b)
	if text = strings.TrimSpace(text); text == "" {
		return take(v, "", true, f)
	}
	d, ok := parseDecimal(text)
	return take(v, Decimal(d.String()), ok, f)
}

// UnmarshalJSON reads a whole number in any of its forms.
func (v *Int) UnmarshalJSON(b []byte) error {
	text, f := scalar(b)
	n, ok := asInt(text)
	return take(v, n, ok, f)
}

func asInt(text string) (Int, bool) {
	switch text = strings.TrimSpace(text); text {
	case "", "false":
		return 0, true
	case "true":
		return 1, true
	}
	d, ok := parseDecimal(text)
	if !ok || !d.IsInteger() || size(d) > 18 && !d.BigInt().IsInt64() {
		return 0, false
	}
	return Int(d.IntPart()), true
}

// UnmarshalJSON reads yes or no in any of its forms.
func (v *Flag) UnmarshalJSON(b []byte) error {
	text, f := scalar(b)
	switch n, ok := asInt(strings.ToLower(text)); {
	case !ok || n < 0 || n > 1:
		return take(v, false, false, f)
	default:
		return take(v, n == 1, true, f)
	}
}

// UnmarshalJSON reads a moment in any of its forms.
func (v *Unix) UnmarshalJSON(b []byte) error {
	text, f := scalar(b)
	if noMoment(text) {
		return take(v, 0, true, f)
	}
	at, ok := Moment(text)
	return take(v, Unix(at.Unix()), ok, f)
}

// UnmarshalJSON reads a list, one text, or nothing.
func (v *Texts) UnmarshalJSON(b []byte) error {
	return take(v, asTexts(value(b)), true, formList)
}

func asTexts(v any) (all Texts) {
	if list, ok := valueIn(v).([]any); ok {
		v = list
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, member := range list {
		if text, _ := scalarOf(member); text != "" && text != "{}" {
			all = append(all, text)
		}
	}
	return all
}
