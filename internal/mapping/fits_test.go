package mapping

import (
	"encoding/json"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"gongdan-bridge/schemas"
)

// TestFitsIsSound: what the short way takes, the schema takes; and it does take
// the bodies of the examples, or it would be of no use.
func TestFitsIsSound(t *testing.T) {
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := bodyShape()
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{}
	for _, name := range s.order {
		good[name] = s.members[name].example
	}
	if !s.fits(good) {
		t.Fatal("the schema's own examples do not fit")
	}
	for _, name := range []string{"switch", "close"} {
		m := load(t, example, Options{})
		x, err := m.Match(input(t, name))
		if err != nil {
			t.Fatal(err)
		}
		w := &worker{x: x, ctx: t.Context()}
		body, _ := w.work(x.rule.body).(map[string]any)
		complete(body, billNo)
		if len(w.failures) > 0 || !s.fits(body) {
			t.Errorf("%s does not take the short way: %v", name, w.failures)
		}
	}
	id := map[string]any{"id": "1"}
	odd := []any{
		"", "F", "X", "1", "12345678901234567890", "123456789012345678901", "2025-07-17 08:11:41", "2025-07-17", "fwgs-1", "-1", "1.5", "1.",
		"１２", "a\nb", "1\n", string(make([]byte, 101)), string(make([]rune, 2001)), "https://a.example/x", "https://a b",
		json.Number("0"), json.Number("-0.1"), json.Number("10"), json.Number("1000000"), json.Number("1000001"), json.Number("1e30"),
		true, nil,
		[]any{},
		[]any{id},
		[]any{"1"},
		[]any{map[string]any{}},
		[]any{map[string]any{"id": "1", "x": "y"}},
		make([]any, 51),
		[]any{map[string]any{"url": "https://a.example/x", "name": "x"}},
		[]any{map[string]any{"url": "x", "name": ""}},
		id,
	}
	rapid.Check(t, func(t *rapid.T) {
		body := maps.Clone(good)
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			name := rapid.SampledFrom(append([]string{"other"}, s.order...)).Draw(t, "field")
			if rapid.Bool().Draw(t, "drop") {
				delete(body, name)
			} else {
				body[name] = rapid.SampledFrom(odd).Draw(t, "value")
			}
		}
		if err := set.Check(schemaName, request("1", body)); err != nil && s.fits(body) {
			t.Fatalf("fits, but %v: %v", err, body)
		}
	})
}
