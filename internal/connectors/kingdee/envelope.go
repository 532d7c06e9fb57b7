package kingdee

import (
	"encoding/json"
	"errors"
	"strings"

	"gongdan-bridge/internal/strictjson"
)

// dialect is how an interface says yes.
type dialect int

const (
	weigusoft dialect = iota // success:true, errorCode "" or "success"
	connector                // errcode:0, or code:200
)

// errNoFlag: JSON, but without any word on how it went.
var errNoFlag = errors.New("no known flag in the answer")

// envelope is how an answer says that it went. Neither done nor refused cannot be: that
// is an error of readEnvelope.
type envelope struct {
	done bool
	code string         // "" where the vendor gave none, or one that means success
	text string         // the vendor's sentence; judge makes it fit for an error
	all  map[string]any // the whole answer, numbers as json.Number
}

// readEnvelope reads any of the vendor's four envelopes. Codes may be texts or
// numbers; a code longer than 40 bytes or with odd characters is taken for text.
func readEnvelope(body []byte, d dialect) (envelope, error) {
	v, err := strictjson.Decode(body)
	if err != nil {
		return envelope{}, err
	}
	all, ok := v.(map[string]any)
	if !ok {
		return envelope{}, errNoFlag
	}
	e := envelope{all: all, text: sentence(all)}
	gateway := code(all["errcode"], "0")
	flagged := gateway != ""
	switch d {
	case weigusoft:
		success, said := truth(all["success"])
		e.code = first(gateway, code(all["errorCode"], "0", "success"))
		e.done = success
		flagged = flagged || said || e.code != ""
	case connector:
		other := code(all["code"], "0", "200")
		e.code = first(gateway, other, code(all["errorCode"], "0", "success"))
		yes := isCode(all["errcode"], "0") || isCode(all["code"], "200")
		e.done = yes && e.code == ""
		flagged = flagged || yes || e.code != ""
	}
	if !flagged {
		return envelope{}, errNoFlag
	}
	if !plainCode(e.code) {
		e.text, e.code = first(e.text, e.code), "unreadable"
	}
	return e, nil
}

// code is v as a code, "" where it is absent or one of good.
func code(v any, good ...string) string {
	s, _ := text(v)
	s = strings.TrimSpace(s)
	for _, g := range good {
		if strings.EqualFold(s, g) {
			return ""
		}
	}
	return s
}

func isCode(v any, want string) bool {
	s, ok := text(v)
	return ok && v != nil && s == want
}

func plainCode(s string) bool {
	for _, c := range []byte(s) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
		if !ok {
			return false
		}
	}
	return len(s) <= 40
}

// truth reads a flag, and whether there is one.
func truth(v any) (value, said bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		return strings.EqualFold(v, "true"), strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
	}
	return false, false
}

// sentence is what the vendor says to a person, the Chinese one first.
func sentence(all map[string]any) string {
	for _, name := range []string{"description_cn", "descriptionCn", "message", "msg", "description", "data"} {
		if s, ok := all[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

func first(s ...string) string {
	for _, s := range s {
		if s != "" {
			return s
		}
	}
	return ""
}

// text is a scalar as text: null is "", and an expanded object is its value,
// number, name or id. It is false for what has no one text.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	case map[string]any:
		for _, name := range []string{"zh_CN", "value", "number", "name", "id"} {
			if s, ok := text(v[name]); ok && s != "" {
				return s, true
			}
		}
	}
	return "", false
}
