package weiban

import (
	"bytes"
	"encoding/json"

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
	body = bare(body)
	if encrypt, ok := plainEnvelope(body); ok {
		return encrypt, ""
	}
	if body = sound(body); strictjson.Check(body) != nil {
		return "", FaultBody
	}
	// A map, since a struct would take the member in any spelling.
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return "", FaultBody
	}
	raw, small := members["encrypt"]
	capital, large := members["Encrypt"]
	switch {
	case small && large:
		return "", FaultBody
	case large:
		raw = capital
	case !small:
		return "", FaultNoEncrypt
	}
	if json.Unmarshal(raw, &encrypt) != nil || encrypt == "" {
		return "", FaultNoEncrypt
	}
	return encrypt, ""
}

// plainEnvelope is envelope for the body that Weiban really sends: an object of
// at most eight members, all of them texts without escapes, one of them the one
// wanted. It is five times as quick, and leaves every other body, sound or not,
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
