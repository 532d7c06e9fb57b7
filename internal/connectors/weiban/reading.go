package weiban

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/strictjson"
)

// reader reads an object member by member.
type reader struct{ original map[string]json.RawMessage }

func (r *reader) keep(pointer string, sent json.RawMessage) {
	if r.original == nil {
		r.original = make(map[string]json.RawMessage)
	}
	r.original[pointer] = sent
}

// object reads the members of an object into the struct v and gives the object to
// publish: the same bytes where no member is odd.
func (r *reader) object(raw json.RawMessage, v reflect.Value, at string) json.RawMessage {
	members, _ := object(raw)
	odd := false
	for f := range v.Type().Fields() {
		name := f.Tag.Get("json")
		sent, ok := members[name]
		if !ok || name == "-" {
			continue
		}
		before := len(r.original)
		got := r.take(sent, v.FieldByIndex(f.Index), at+"/"+name)
		if got.lost {
			v.Addr().Interface().(interface{ unread(string) }).unread(name)
		}
		odd = odd || len(r.original) > before
		if members[name] = got.out; got.out == nil {
			delete(members, name)
		}
	}
	if !odd {
		return raw
	}
	return encoded(members)
}

// reading is what came of one member.
type reading struct {
	out      json.RawMessage // what is published; nil: nothing
	replaced bool            // what was sent is kept beside it
	lost     bool            // not all of it could be read
}

func asSent(raw json.RawMessage) reading { return reading{out: raw} }

var (
	leftOut     = reading{replaced: true, lost: true}
	emptyObject = reading{out: json.RawMessage("{}"), replaced: true}
	emptyList   = reading{out: json.RawMessage("[]"), replaced: true}
)

// take reads a member or a row, and keeps what was sent for it, or for what is odd
// inside it, but not both.
func (r *reader) take(sent json.RawMessage, v reflect.Value, pointer string) reading {
	inner := reader{}
	got := inner.member(sent, v, pointer)
	if got.replaced {
		r.keep(pointer, sent)
		return got
	}
	for below, m := range inner.original {
		r.keep(below, m)
	}
	return got
}

func (r *reader) member(raw json.RawMessage, v reflect.Value, at string) reading {
	own, ok := v.Addr().Interface().(json.Unmarshaler)
	switch {
	case ok && own.UnmarshalJSON(raw) == nil:
		return asSent(raw)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		return r.list(raw, v, at)
	case ok:
		return leftOut
	default:
		return r.nested(raw, v, at)
	}
}

// nested reads an object inside another one, in every form.
func (r *reader) nested(raw json.RawMessage, v reflect.Value, at string) reading {
	text, f := scalar(raw)
	switch {
	case f == formNull:
		return asSent(raw)
	case f == formObject:
		return reading{out: r.object(raw, v, at)}
	case isEmpty(text, f):
		return emptyObject
	}
	inside := jsonIn(text, f)
	if _, ok := object(inside); !ok {
		return leftOut
	}
	return reading{out: r.object(inside, v, at), replaced: true}
}

// list reads a list of objects, in every form. A row that cannot be read is left
// out.
func (r *reader) list(raw json.RawMessage, v reflect.Value, at string) reading {
	text, f := scalar(raw)
	if f == formNull {
		return asSent(raw)
	}
	sent := raw
	got := reading{replaced: f != formList}
	if inside := jsonIn(text, f); inside != nil {
		sent = inside
	}
	rows, ok := rowsOf(sent)
	switch {
	case !ok && isEmpty(text, f):
		return emptyList
	case !ok:
		return leftOut
	}
	list, out := reflect.MakeSlice(v.Type(), 0, len(rows)), make([]json.RawMessage, 0, len(rows))
	for i, row := range rows {
		into := reflect.New(v.Type().Elem()).Elem()
		x := r.take(row, into, at+"/"+strconv.Itoa(i))
		if x.out == nil {
			got.replaced, got.lost = true, true
			continue
		}
		out = append(out, x.out)
		if into.Type() != reflect.TypeFor[Attachment]() || string(row) != "null" { // as Attachments reads itself
			list = reflect.Append(list, into)
		}
	}
	v.Set(list)
	if got.out = raw; got.replaced || r.original != nil {
		got.out = encoded(out)
	}
	return got
}

// rowsOf is the elements of a list, also of one that was sent as an object whose
// keys are the places: PHP writes a list with gaps so.
func rowsOf(raw json.RawMessage) (rows []json.RawMessage, ok bool) {
	if json.Unmarshal(raw, &rows) == nil {
		return rows, rows != nil
	}
	members, ok := object(raw)
	if !ok {
		return nil, false
	}
	for _, place := range slices.SortedFunc(maps.Keys(members), func(a, b string) int { return cmp.Or(ID(a).compare(ID(b)), cmp.Compare(a, b)) }) {
		if !digits(place) {
			return nil, false
		}
		rows = append(rows, members[place])
	}
	return rows, true
}

// isEmpty says whether a value stands for nothing.
func isEmpty(text string, f form) bool {
	switch f {
	case formText:
		return strings.TrimSpace(text) == ""
	case formList:
		return text == "[]"
	case formBool:
		return text == "false" // PHP's, for what it has not
	case formObject:
		return text == "{}"
	default:
		return f == formNull
	}
}

// jsonIn is the list or object whose JSON a text holds, nil if it holds none.
func jsonIn(text string, f form) json.RawMessage {
	text = strings.TrimSpace(text)
	if f != formText || text == "" || text[0] != '{' && text[0] != '[' || strictjson.Check([]byte(text)) != nil {
		return nil
	}
	return json.RawMessage(text)
}

// valueIn is the list or object whose JSON a text holds, nil for any other value.
func valueIn(v any) any {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	return value(jsonIn(text, formText))
}

// encoded writes JSON whose texts are as they were.
func encoded(v any) json.RawMessage {
	b, err := events.JSON(v)
	if err != nil {
		return nil // it was read from strict JSON
	}
	return b
}
