package weiban

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gongdan-bridge/internal/events"
)

// originals is the member of an event's data that holds, by JSON pointer, what
// was sent where the data has something else; the pointer "" stands for the whole
// plaintext in base64.
const originals = "original"

// fitter brings the members of a callback into the forms that the schemas of
// callbacks declare, and keeps what was sent.
type fitter struct {
	original map[string]any
	changed  bool // something was changed of which nothing is kept
}

// fit is a value in the form that is wanted, or not ok where it has none.
type fit func(v any) (fitted any, ok bool)

// member fits one member, and leaves out what cannot be fitted.
func (f *fitter) member(in map[string]any, path, name string, to fit) {
	v, there := in[name]
	if !there {
		return
	}
	fitted, ok := to(v)
	switch {
	case !ok:
		delete(in, name)
	case same(v, fitted):
		return
	default:
		in[name] = fitted
	}
	f.keep(path+"/"+name, v)
}

func (f *fitter) keep(pointer string, v any) {
	if _, kept := f.original[pointer]; !kept {
		f.original[pointer] = v
	}
}

// same compares what a fit returned with what it took. A fit returns a list or an
// object as it is, or builds another one.
func same(v, fitted any) bool {
	switch v := v.(type) {
	case []any:
		w, ok := fitted.([]any)
		return ok && slices.EqualFunc(v, w, same)
	case map[string]any:
		w, ok := fitted.(map[string]any)
		return ok && maps.EqualFunc(v, w, same)
	default:
		switch fitted.(type) {
		case []any, map[string]any:
			return false
		}
		return v == fitted
	}
}

// callback fits the envelope (doc-477106) and the documented members of msg_data.
func (f *fitter) callback(members map[string]any, n Notice) {
	if v, ok := members[originals]; ok { // Weiban's own
		delete(members, originals)
		f.keep("/"+originals, v)
	}
	f.member(members, "", "id", func(v any) (any, bool) {
		fitted, ok := asText(v)
		return fitted, ok && fitted != nil
	})
	for name, w := range map[string]string{"event": n.Event, "status": n.Status} {
		if members[name] != w {
			if v, ok := members[name]; ok {
				f.keep("/"+name, v)
			}
			members[name], f.changed = w, true
		}
	}
	f.member(members, "", "corp_id", asText)
	f.member(members, "", "type", asText)
	f.member(members, "", "create_time", asTime)
	f.member(members, "", "retry_count", asWhole)
	f.member(members, "", "seq", asWhole)
	f.member(members, "", "msg_data", func(v any) (any, bool) {
		if v == nil && n.Noun != events.WorkOrder {
			return nil, true
		}
		return objectOf(v)
	})
	if data, ok := members["msg_data"].(map[string]any); ok && n.Noun == events.WorkOrder {
		f.workOrder(data)
	}
}

// workOrder fits the msg_data of the five documented callbacks.
func (f *fitter) workOrder(data map[string]any) {
	const path = "/msg_data"
	f.member(data, path, "order_no", func(v any) (any, bool) {
		text, fault := number(v)
		return text, fault == ""
	})
	for _, name := range []string{"staff_id", "staff_ext_id", "handler_id"} {
		f.member(data, path, name, asText)
	}
	f.member(data, path, "cc_list", listOf(asText))
	f.member(data, path, "content", asNote)
	f.member(data, path, "is_show", func(v any) (any, bool) {
		if _, yes := v.(bool); yes {
			return v, true
		}
		return asWhole(v)
	})
	f.member(data, path, "attached_json", listOf(nil))
	if note, ok := data["content"].(map[string]any); ok {
		f.member(note, path+"/content", "text", asText)
		f.member(note, path+"/content", "pic", listOf(asText))
	}
}

// asText gives a number or boolean as its literal.
func asText(v any) (any, bool) {
	switch v := v.(type) {
	case nil, string:
		return v, true
	case json.Number:
		if text, ok := wholeDigits(v.String()); ok {
			return text, true
		}
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return nil, false
}

// asWhole gives a text of digits as a number, a boolean as 0 or 1, and an empty
// text as null.
func asWhole(v any) (any, bool) {
	text, form := scalarOf(v)
	text = strings.TrimSpace(text)
	switch {
	case form == formNull:
		return nil, v == nil
	case form == formText && text == "":
		return nil, true
	case form == formList, form == formObject:
		return nil, false
	}
	if form == formNumber && digits(text) {
		return v, true
	}
	if d, ok := parseDecimal(text); ok && d.IsInteger() {
		if form == formNumber {
			return v, true
		}
		return json.Number(d.String()), true
	}
	n, ok := asInt(text)
	return json.Number(strconv.FormatInt(int64(n), 10)), ok
}

// asTime leaves a time as it was written.
func asTime(v any) (any, bool) {
	switch v.(type) {
	case nil, string, json.Number:
		return v, true
	}
	return nil, false
}

// asNote gives a bare text as a note, and the JSON of a note as the note.
func asNote(v any) (any, bool) {
	if members, ok := objectOf(v); ok {
		return members, true
	}
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, true
		}
		return map[string]any{"text": v}, true
	case json.Number, bool:
		text, _ := asText(v)
		return map[string]any{"text": text}, true
	}
	return nil, false
}

// listOf gives the JSON of a list as the list, an empty object as an empty list,
// an object of numbered members as the list of them, and one value as a list of
// it. Elements that have no such form are left out; nil takes all.
func listOf(element fit) fit {
	return func(v any) (any, bool) {
		if inner, ok := inside(v); ok {
			v = inner
		}
		var list []any
		switch v := v.(type) {
		case nil:
			return nil, true
		case string:
			if strings.TrimSpace(v) == "" {
				return v, true // as Weiban sends nothing
			}
			list = []any{v}
		case []any:
			list = v
		case map[string]any:
			list = numbered(v)
		default:
			list = []any{v}
		}
		if element == nil {
			return list, true
		}
		fitted := make([]any, 0, len(list))
		for _, member := range list {
			if x, ok := element(member); ok {
				fitted = append(fitted, x)
			}
		}
		return fitted, true
	}
}

// numbered is the list that an object with the names 0, 1, 2 … stands for; any
// other object is the one element.
func numbered(members map[string]any) []any {
	list := make([]any, len(members))
	for i := range list {
		v, ok := members[strconv.Itoa(i)]
		if !ok {
			return []any{members}
		}
		list[i] = v
	}
	return list
}

// plain gives values that a reader could be led astray by the one form that it
// cannot: the last of several, and the text of what is out of bounds.
func (f *fitter) plain(path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = f.plain(path+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), member)
		}
	case []any:
		for i, member := range v {
			v[i] = f.plain(path+"/"+strconv.Itoa(i), member)
		}
	case several:
		all := make([]any, len(v))
		for i, member := range v {
			all[i] = (&fitter{original: map[string]any{}}).plain("", member)
		}
		f.original[path] = all
		return all[len(all)-1]
	case literal:
		f.changed = true
		return string(v)
	}
	return v
}
