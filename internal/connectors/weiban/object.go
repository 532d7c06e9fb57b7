package weiban

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gongdan-bridge/internal/strictjson"
)

// Unread names the members of an object that Weiban sent in a form that cannot
// be read: they are zero, and that is not what Weiban said.
type Unread struct{ names []string }

// IsUnread reports whether the member of that name was sent and could not be
// read, or not all of it.
func (u *Unread) IsUnread(member string) bool { return slices.Contains(u.names, member) }

func (u *Unread) unread(member string) { u.names = append(u.names, member) }

func (u *Unread) read(member string) {
	u.names = slices.DeleteFunc(u.names, func(name string) bool { return name == member })
}

// Object is an object of Weiban's, with the members that could be read.
type Object[T any] struct {
	Value T

	// Raw is the object with every member in a form that the page documents: the
	// bytes that were sent, unless Original has something. A member that cannot be
	// read is left out.
	Raw json.RawMessage

	// Original is what was sent for the members that Raw has in another form, or
	// leaves out, by their JSON pointers in the object.
	Original map[string]json.RawMessage
}

// Read reads an object of a detail, also in these odd forms: an empty list for an
// empty object and the other way round, a list sent as object with the keys "0",
// "1", …, lists and objects sent as the text of their JSON. What cannot be read at
// all is left out, and [Unread] names it. The error says that raw is no object of
// strict JSON.
func Read[T WorkOrder | Opportunity](raw json.RawMessage) (Object[T], error) {
	if err := strictjson.Check(raw); err != nil {
		return Object[T]{}, fmt.Errorf("read object: %w", err)
	}
	if jsontext.Value(raw).Kind() != '{' {
		return Object[T]{}, errors.New("read object: not an object")
	}
	o := Object[T]{Raw: raw}
	if jsonv2.Unmarshal(raw, &o.Value, lenient) == nil {
		return o, nil
	}
	o.Value = *new(T)
	r := reader{}
	o.Raw = r.object(raw, reflect.ValueOf(&o.Value).Elem(), "")
	o.Original = r.original
	return o, nil
}

// settle makes sure that the object is the one that was asked for by the member of
// that name, and publishes it in the form that the page documents: as text, or
// (numbers) as number. Where the member cannot be read the answer is believed to be
// about what was asked. False where it says that the object is another one.
func (o *Object[T]) settle(name string, has *ID, marks *Unread, asked string, numbers bool) bool {
	members, _ := object(o.Raw)
	sent, f := scalar(members[name])
	if sent == asked && (f == formText || numbers && f == formNumber) {
		return true
	}
	if !blank(string(*has)) && !isSame(sent, f, asked) {
		return false
	}
	if was, ok := members[name]; ok {
		r := reader{o.Original}
		r.keep("/"+name, was)
		o.Original = r.original
	}
	members[name] = encoded(asked)
	o.Raw, *has = encoded(members), ID(asked)
	marks.read(name)
	return true
}

// isSame says whether an identifier that was sent may be the one that was asked
// for. Weiban has been seen to send numbers of 19 digits as JavaScript rounds them.
func isSame(sent string, f form, asked string) bool {
	if f != formNumber {
		return strings.TrimSpace(sent) == strings.TrimSpace(asked)
	}
	if d, ok := parseDecimal(sent); ok && d.String() == asked {
		return true
	}
	a, errA := strconv.ParseFloat(sent, 64)
	b, errB := strconv.ParseFloat(asked, 64)
	return errA == nil && errB == nil && digits(asked) && a == b && a >= 1<<53
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
