package fakevendor

import (
	"bytes"
	"encoding/json"
	"time"
)

// China is the zone of both vendors.
func China() *time.Location { return time.FixedZone("CST", 8*60*60) }

// Encode returns plain values as JSON with their text as it is, without HTML escapes.
func Encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("fakevendor: an answer of plain values cannot fail to encode: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
