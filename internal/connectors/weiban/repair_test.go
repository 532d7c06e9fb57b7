package weiban

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"gongdan-bridge/internal/strictjson"
)

func gbk(tb testing.TB, text string) string {
	tb.Helper()
	b, err := simplifiedchinese.GBK.NewEncoder().String(text)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func inUTF16(tb testing.TB, e unicode.Endianness, mark unicode.BOMPolicy, text string) string {
	tb.Helper()
	b, err := unicode.UTF16(e, mark).NewEncoder().String(text)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestRepair(t *testing.T) {
	const chinese = `{"a":"已修好，谢谢","b":["工单"]}`
	for _, tt := range []struct{ name, in, want, odd string }{
		{"nothing", chinese, chinese, ""},
		{"byte order mark", bom + chinese, chinese, "bom"},
		{"two of them, and a NUL", bom + bom + chinese + "\x00", chinese, "bom,padding"},
		{"NULs", "\x00" + chinese + "\x00\x00", chinese, "padding"},
		{"PKCS#7", chinese + strings.Repeat("\x12", 18), chinese, "padding"},
		{"GBK", gbk(t, chinese), chinese, "gbk"},
		{"GBK with a mark before it", bom + gbk(t, chinese), chinese, "bom,gbk"},
		{"GBK of two characters", gbk(t, `{"a":"工单"}`), `{"a":"工单"}`, "gbk"},
		{"UTF-16", inUTF16(t, unicode.LittleEndian, unicode.UseBOM, chinese), chinese, "utf16"},
		{"UTF-16 without a mark", inUTF16(t, unicode.BigEndian, unicode.IgnoreBOM, chinese), chinese, "utf16"},
		{"a character cut in two", `{"a":"已修好` + "\xe8\xb0" + `"}`, `{"a":"已修好��"}`, "utf8"},
		{"bytes of nothing", `{"a":"` + "\xff" + `"}`, `{"a":"�"}`, "utf8"},
		{"CESU-8", `{"a":"` + "\xed\xa0\xbd\xed\xb8\x80" + `"}`, `{"a":"😀"}`, "cesu8"},
		{"half of CESU-8", `{"a":"` + "\xed\xa0\xbd" + `"}`, `{"a":"�"}`, "surrogate"},
		{"control characters", "{\"a\":\"b\tc\n\x01\",\x02\n\"d\":\"\\n\"}", "{\"a\":\"b\\u0009c\\u000a\\u0001\",\n\"d\":\"\\n\"}", "control"},
		{"half a pair", `{"a":"\ud83dx\ude00\\ud83d","b":"\ud83d\ude00"}`, `{"a":"�x�\\ud83d","b":"\ud83d\ude00"}`, "surrogate"},
	} {
		r := repair([]byte(tt.in))
		if odd := strings.Join(r.odd, ","); string(r.text) != tt.want || odd != tt.odd {
			t.Errorf("%s: %q, %s; want %q, %s", tt.name, r.text, odd, tt.want, tt.odd)
		}
		if loses := slices.Contains(r.odd, oddUTF8) || slices.Contains(r.odd, oddSurrogate); loses != (len(r.lost) > 0) {
			t.Errorf("%s: lost %q", tt.name, r.lost)
		}
	}
}

// FuzzRepair: JSON stays as it is but for what stands around it, what is repaired
// needs no second repair, and two texts that become one differ in what was lost.
func FuzzRepair(f *testing.F) {
	for _, s := range []string{`{"a":"\ud800"}`, bom + `{}` + "\x00", "{\"a\":\"\x01\"}", "\xff\xfe{\x00", "{\x00}\x00", "\xed\xa0\x80\xed\xb0\x80", "\xb9\xa4\xb5\xa5", `"\\\ud800`} {
		f.Add([]byte(s), []byte(`{"a":"`+s+`"}`))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r, s := repair(bytes.Clone(a)), repair(b)
		if again := repair(r.text); !bytes.Equal(again.text, r.text) {
			t.Fatalf("%q became %q and then %q", a, r.text, again.text)
		}
		if strictjson.Check(a) == nil && !slices.Contains(r.odd, oddSurrogate) && !bytes.Equal(r.text, unframed(a)) {
			t.Fatalf("%q is JSON and became %q", a, r.text)
		}
		if json.Valid(r.text) && len(r.odd) == 0 && !bytes.Equal(r.text, a) {
			t.Fatalf("%q became %q and nothing was said", a, r.text)
		}
		if !bytes.Equal(a, b) && slices.Equal(r.odd, []string{oddUTF8}) && slices.Equal(s.odd, r.odd) && bytes.Equal(r.text, s.text) && bytes.Equal(r.lost, s.lost) {
			t.Fatalf("%q and %q became one", a, b)
		}
	})
}
