package strictjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gongdan-bridge/internal/strictjson"
)

func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct{ name, in, fault string }{
		{"object", `{"a":1,"b":[true,null,"x"]}`, ""},
		{"19 digits", `{"id":1471808049579560960}`, ""},
		{"same key in two objects", `[{"a":1},{"a":1}]`, ""},
		{"deepest", deep(strictjson.MaxDepth), ""},
		{"largest exponent", `1e30`, ""},
		{"seventeen keys", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}`, ""},
		{"the eighteenth is the first", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"a":1}`, "duplicate key"},
		{"leading zero", `01`, "more after the end of the value"},
		{"bare sign", `-`, "ends too early"},
		{"comma at the end", `[1,]`, "not JSON"},
		{"control character", "\"a\nb\"", "not JSON"},
		{"cut escape", `"\u00`, "ends too early"},
		{"empty", ``, "ends too early"},
		{"cut", `{"a":`, "ends too early"},
		{"cut array", `[1`, "ends too early"},
		{"html", `<html>`, "not JSON"},
		{"two values", `{} {}`, "more after the end of the value"},
		{"duplicate", `{"a":1,"a":2}`, "duplicate key"},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, "duplicate key"},
		{"duplicate inside", `[{"x":{"a":1,"a":2}}]`, "duplicate key"},
		{"too deep", deep(strictjson.MaxDepth + 1), "too deep"},
		{"very deep", strings.Repeat("[", 1<<20), "too deep"},
		{"exponent", `1e10000000`, "exponent too large"},
		{"negative exponent", `[1E-31]`, "exponent too large"},
		{"long number", strings.Repeat("9", 41), "number too long"},
		{"not utf-8", "\"\xff\"", "not valid UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := strictjson.Check([]byte(tt.in))
			var e *strictjson.Error
			switch {
			case tt.fault == "" && err != nil:
				t.Fatalf("Check: %v", err)
			case tt.fault != "" && !errors.As(err, &e):
				t.Fatalf("Check: got %v, want fault %q", err, tt.fault)
			case tt.fault != "" && e.Fault != tt.fault:
				t.Fatalf("Check: got fault %q, want %q", e.Fault, tt.fault)
			}
		})
	}
}

func TestUnmarshalNamesMember(t *testing.T) {
	var v struct {
		A struct {
			B int `json:"b"`
		} `json:"a"`
	}
	err := strictjson.Unmarshal([]byte(`{"a":{"b":"secret"}}`), &v)
	if err == nil || !strings.Contains(err.Error(), "member a.b") || strings.Contains(err.Error(), "secret") {
		t.Fatalf("Unmarshal: %v", err)
	}
}

// FuzzCheck holds the scanner against encoding/json: what Check accepts is
// valid there, and what is valid there is refused only for one of our bounds.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}]}`, `1e9`, `"\ud800"`, `{"a":1,"a":2}`, `[[[[`, `-0.5E+1`, `{"\u0061":"","a":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := strictjson.Check(b)
		if err == nil && !json.Valid(b) {
			t.Fatalf("accepted what encoding/json refuses: %q", b)
		}
		var e *strictjson.Error
		if errors.As(err, &e) && json.Valid(b) {
			switch e.Fault {
			case "duplicate key", "too deep", "number too long", "exponent too large", "not valid UTF-8":
			default:
				t.Fatalf("refused what encoding/json accepts: %q: %v", b, err)
			}
		}
		if v, derr := strictjson.Decode(b); (derr == nil) != (err == nil) || (derr != nil && v != nil) {
			t.Fatalf("Decode and Check disagree: %v, %v", derr, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	doc := []byte(`{"id":"7a1d","create_time":1640244967924,"msg_data":{"order_no":"1446377590381088768","content":{"text":"` +
		strings.Repeat("已修好", 85) + `","pic":["https://e.example/a.png"]}}}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := strictjson.Check(doc); err != nil {
			b.Fatal(err)
		}
	}
}
