package events_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gongdan-bridge/internal/events"
)

// document has members of every sort that is written with JSON.
type document struct {
	Number json.Number     `json:"number"`
	Left   json.Number     `json:"left,omitempty"`
	Raw    json.RawMessage `json:"raw,omitempty"`
	Texts  []string        `json:"texts"`
	Some   []string        `json:"some,omitempty"`
	At     time.Time       `json:"at,omitzero"`
	Long   time.Duration   `json:"long"`
	Any    any             `json:"any"`
}

// anything draws a value; depth bounds its nesting.
func anything(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if depth == 0 {
			kind %= 5
		}
		switch kind {
		case 0:
			return rapid.SampledFrom([]any{nil, true, "", "<&>"}).Draw(t, "plain")
		case 1, 2:
			return rapid.String().Draw(t, "text")
		case 3:
			return json.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number"))
		case 4:
			return rapid.Float64().Draw(t, "float")
		case 5:
			return rapid.SliceOfN(anything(depth-1), 0, 4).Draw(t, "list")
		case 6:
			return rapid.MapOfN(rapid.String(), anything(depth-1), 0, 4).Draw(t, "object")
		default:
			raw, err := json.MarshalIndent(anything(depth-1).Draw(t, "raw"), "", " ")
			if err != nil {
				t.Fatal(err)
			}
			return document{Raw: raw, Texts: rapid.SliceOf(rapid.String()).Draw(t, "texts"), Long: time.Second, Any: anything(depth-1).Draw(t, "any")}
		}
	})
}

// What is written is what encoding/json writes, to the byte, but for the escapes of
// HTML and of JavaScript.
func TestJSONIsAsEverBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anything(3).Draw(t, "value")
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		got, err := events.JSON(v)
		plain := strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029", "\n", "")
		if err != nil || plain.Replace(string(got)) != plain.Replace(want.String()) {
			t.Fatalf("%s, %v, want %s", got, err, want.Bytes())
		}
	})
}
