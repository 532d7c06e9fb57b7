package weiban

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"gongdan-bridge/internal/strictjson"
)

// bare is JSON without what some programs put around it: a byte order mark before
// it, NULs and blanks behind it.
func bare(b []byte) []byte {
	return bytes.TrimRight(bytes.TrimPrefix(b, []byte("\ufeff")), "\x00 \t\r\n")
}

// sound is JSON as it came or, where bytes keep it from being read, repaired like a
// callback's plaintext; what cannot be repaired stays as it came.
func sound(b []byte) []byte {
	b = bare(b)
	if strictjson.Check(b) == nil {
		return b
	}
	if mended := repair(b).text; strictjson.Check(mended) == nil {
		return mended
	}
	return b
}

// envelope takes the base64 text out of the body of a callback.
func envelope(body []byte) (encrypt string, fault Fault) {
	type members struct {
		Small   sealedText `json:"encrypt"`
		Capital sealedText `json:"Encrypt"`
	}
	var m members
	body = bare(body)
	if encrypt, ok := plainEnvelope(body); ok {
		return encrypt, ""
	}
	if strictjson.Unmarshal(body, &m) != nil {
		m, body = members{}, sound(body)
		if strictjson.Unmarshal(body, &m) != nil {
			return "", FaultBody
		}
	}
	small, capital := m.Small, m.Capital
	switch {
	case jsontext.Value(body).Kind() != '{', small.sent && capital.sent:
		return "", FaultBody
	case small.text == "" && capital.text == "":
		return "", FaultNoEncrypt
	}
	return small.text + capital.text, ""
}

// sealedText is a member that should be a text.
type sealedText struct {
	sent bool
	text string
}

// UnmarshalJSONFrom reads any value; what is no text is none.
func (s *sealedText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	s.sent = true
	if dec.PeekKind() != '"' {
		return dec.SkipValue()
	}
	t, err := dec.ReadToken()
	if err == nil {
		s.text = t.String()
	}
	return err
}

// plainEnvelope is envelope for the body that Weiban really sends: an object of
// at most eight members, all of them texts without escapes, one of them the one
// wanted. It takes two thirds of the time, and leaves every other body, sound or not,
// to the general reader.
func plainEnvelope(body []byte) (encrypt string, ok bool) {
	var names [8][]byte
	var found []byte
	c := cursor{rest: body}
	if !c.take('{') {
		return "", false
	}
	for n := range names {
		name, ok := c.text()
		if !ok || !c.take(':') {
			return "", false
		}
		for _, before := range names[:n] {
			if bytes.Equal(before, name) {
				return "", false
			}
		}
		names[n] = name
		value, ok := c.text()
		if !ok {
			return "", false
		}
		if string(name) == "encrypt" || string(name) == "Encrypt" {
			if found != nil || len(value) == 0 {
				return "", false
			}
			found = value
		}
		if c.take(',') {
			continue
		}
		end := c.take('}')
		c.space()
		return string(found), end && len(c.rest) == 0 && found != nil
	}
	return "", false
}

// cursor walks over JSON of the simplest kind.
type cursor struct{ rest []byte }

func (c *cursor) space() {
	for len(c.rest) > 0 {
		switch c.rest[0] {
		case ' ', '\t', '\r', '\n':
			c.rest = c.rest[1:]
		default:
			return
		}
	}
}

// take steps over white space and then over b, if that comes next.
func (c *cursor) take(b byte) bool {
	c.space()
	if len(c.rest) == 0 || c.rest[0] != b {
		return false
	}
	c.rest = c.rest[1:]
	return true
}

// text steps over a string of plain ASCII and gives what is between the quotes.
func (c *cursor) text() ([]byte, bool) {
	if !c.take('"') {
		return nil, false
	}
	end := bytes.IndexByte(c.rest, '"')
	if end < 0 {
		return nil, false
	}
	text := c.rest[:end]
	for _, b := range text {
		if b < ' ' || b > '~' || b == '\\' {
			return nil, false
		}
	}
	c.rest = c.rest[end+1:]
	return text, true
}
