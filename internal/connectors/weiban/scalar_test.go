package weiban

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const misread = "cannot be read"

// read decodes text as a T and gives what it then is as JSON.
func read[T any](text string) string {
	var v T
	err := json.Unmarshal([]byte(text), &v)
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) {
		return misread
	}
	if err != nil {
		return err.Error()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestScalarsReadEveryForm(t *testing.T) {
	tests := []struct {
		name string
		read func(string) string
		want map[string]string
	}{
		{"ID", read[ID], map[string]string{
			`"LiYang"`: `"LiYang"`, `1471808049579560960`: `"1471808049579560960"`, `null`: `""`, `""`: `""`, `0`: `"0"`,
			`true`: misread, `[]`: misread, `{}`: misread,
		}},
		{"Text", read[Text], map[string]string{
			`"超长"`: `"超长"`, `"\u8d85\/"`: `"超/"`, `12.50`: `"12.50"`, `true`: `"true"`, `null`: `""`, `[ 1, "a" ]`: `"[1,\"a\"]"`, `{"a": null}`: `"{\"a\":null}"`,
		}},
		{"Decimal", read[Decimal], map[string]string{
			`12.50`: `"12.5"`, `"0.10"`: `"0.1"`, `-3`: `"-3"`, `1.5e3`: `"1500"`, `25E-3`: `"0.025"`, `-0.0`: `"0"`, `9007199254740993`: `"9007199254740993"`,
			`null`: `""`, `""`: `""`, `"1/3"`: misread, `"0x10"`: misread, `"1e999999999"`: misread, `true`: misread, `[]`: misread,
		}},
		{"Int", read[Int], map[string]string{
			`10`: `10`, `"10"`: `10`, `10.0`: `10`, `-1`: `-1`, `null`: `0`, `""`: `0`, `true`: `1`, `false`: `0`,
			`9007199254740993`: `9007199254740993`, `10.5`: misread, `1e30`: misread, `"ten"`: misread, `{}`: misread,
		}},
		{"Flag", read[Flag], map[string]string{
			`0`: `false`, `1`: `true`, `true`: `true`, `false`: `false`, `"1"`: `true`, `"false"`: `false`, `null`: `false`, `""`: `false`,
			`"True"`: `true`, `1.0`: `true`, ` " 1 "`: `true`, `2`: misread, `"yes"`: misread, `[]`: misread, `-1`: misread,
		}},
		{"Unix", read[Unix], map[string]string{
			`1639741382`: `1639741382`, `1640244967.924`: `1640244967`, `1640244967924`: `1640244967`, `"1639741382"`: `1639741382`,
			`"2021-12-17T19:43:02+08:00"`: `1639741382`, `"2021-12-17 19:43:02"`: `1639741382`, `"2021-12-17"`: `1639670400`,
			`"0001-01-01T00:00:00Z"`: `0`, `"0000-00-00 00:00:00"`: `0`, `-62135596800`: `0`, `0.0`: `0`, `" "`: `0`,
			`null`: `0`, `""`: `0`, `0`: `0`, `-5`: misread, `"soon"`: misread, `true`: misread, `1e30`: misread,
		}},
		{"Texts", read[Texts], map[string]string{
			`["a","b"]`: `["a","b"]`, `[]`: `null`, `null`: `null`, `""`: `null`, `"a"`: `["a"]`, `7`: `["7"]`, `{}`: `null`,
			`["",null,1,{"url":"x"}]`: `["1","{\"url\":\"x\"}"]`, `{"a":1}`: `["{\"a\":1}"]`, `"[\"a\",\"b\"]"`: `["a","b"]`, `"[]"`: `null`, `"[a]"`: `["[a]"]`,
		}},
		{"Content", read[Content], map[string]string{
			`{"text":"x","pic":null}`: `{"text":"x","pic":null}`, `"x"`: `{"text":"x","pic":null}`, `null`: `{"text":"","pic":null}`,
			`[]`: `{"text":"","pic":null}`, `{"pic":["u"]}`: `{"text":"","pic":["u"]}`, `["x"]`: misread, `true`: misread,
			`7`: `{"text":"7","pic":null}`, `false`: `{"text":"","pic":null}`, `"{\"text\":\"x\",\"pic\":[\"u\"]}"`: `{"text":"x","pic":["u"]}`, `"[1]"`: `{"text":"[1]","pic":null}`,
			`"{\"a\":1}"`: `{"text":"{\"a\":1}","pic":null}`, `"{}"`: `{"text":"","pic":null}`,
		}},
		{"Attachments", read[Attachments], map[string]string{
			`[{"type":"image","url":"u"}]`: `[{"type":"image","url":"u"}]`, `["u"]`: `[{"type":"","url":"u"}]`, `[]`: `null`, `null`: `null`, `""`: `null`,
			`"[{\"type\":\"video\",\"url\":\"u\"}]"`: `[{"type":"video","url":"u"}]`, `"u"`: misread, `"[oops]"`: misread, `{}`: misread, `[[1]]`: misread,
		}},
	}
	for _, tt := range tests {
		got := make(map[string]string, len(tt.want))
		for text := range tt.want {
			got[text] = tt.read(text)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Whatever is about a moment is read by one function, exact to the millisecond.
func TestMomentIsExactToTheMillisecond(t *testing.T) {
	for text, want := range map[string]string{
		"1640244967.924":       "2021-12-23T07:36:07.924Z",
		"1640244967924":        "2021-12-23T07:36:07.924Z",
		"1640244967.9249999":   "2021-12-23T07:36:07.924Z",
		"1640244967924.75":     "2021-12-23T07:36:07.924Z",
		"1.640244967924e9":     "2021-12-23T07:36:07.924Z",
		"1.640244967924e+12":   "2021-12-23T07:36:07.924Z",
		"1640244967":           "2021-12-23T07:36:07Z",
		"99999999999":          "5138-11-16T09:46:39Z",
		"100000000000":         "1973-03-03T09:46:40Z",
		"99999999999999":       "5138-11-16T09:46:39.999Z",
		"100000000000000":      "1973-03-03T09:46:40Z",
		"1640244967924123":     "2021-12-23T07:36:07.924Z",
		"253402300799999999":   "1978-01-11T21:31:40.799Z",
		"1640244967924123456":  "2021-12-23T07:36:07.924Z",
		"99999999999999999":    "5138-11-16T09:46:39.999Z",
		"0":                    "",
		"-1":                   "",
		"1e30":                 "",
		"16402449679240000000": "",
		"now":                  "",
		"":                     "",

		"2021-12-23T07:36:07.924Z":      "2021-12-23T07:36:07.924Z",
		"2021-12-23t15:36:07.924+08:00": "2021-12-23T07:36:07.924Z",
		"2021-12-23T15:36:07+0800":      "2021-12-23T07:36:07Z",
		"2021-12-23 15:36:07":           "2021-12-23T07:36:07Z",
		" 2021/12/23 15:36:07.5 ":       "2021-12-23T07:36:07.5Z",
		"2021-12-23 15:36:07 +0800":     "2021-12-23T07:36:07Z",
		"2021/12/23 15:36":              "2021-12-23T07:36:00Z",
		"2021-12-23T15:36+08:00":        "2021-12-23T07:36:00Z",
		"2021-1-2 3:04:05":              "2021-01-01T19:04:05Z",
		"2021-12-23":                    "2021-12-22T16:00:00Z",
		"2021/12/23":                    "2021-12-22T16:00:00Z",
		"2021-13-23 15:36:07":           "",
		"9999-12-31T23:59:59-10:00":     "",
		"0001-01-01T00:00:00Z":          "",
		"0000-00-00 00:00:00":           "",
	} {
		got := ""
		if at, ok := Moment(text); ok {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// A decimal's own notation reads as the same decimal, and equals what the
// digits say, however the point is written.
func TestDecimalIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := strings.TrimLeft(rapid.StringMatching(`[0-9]{1,15}`).Draw(t, "whole"), "0")
		fraction := strings.TrimRight(rapid.StringMatching(`[0-9]{0,8}`).Draw(t, "fraction"), "0")
		plain := whole
		if whole == "" {
			plain = "0"
		}
		if fraction != "" {
			plain += "." + fraction
		}
		shifted := whole + fraction + "e-" + string(rune('0'+len(fraction)))
		if whole+fraction == "" {
			shifted = "0e-0"
		}
		for _, text := range []string{plain, plain + "e0", shifted} {
			got, ok := parseDecimal(text)
			if !ok || got.String() != plain {
				t.Fatalf("%s: got %v %v, want %s", text, got, ok, plain)
			}
		}
	})
}

// A member of an answer that is no detail (the staff list's) in a form that cannot
// be read is named by its path; what is in it is not.
func TestMisfitNamesThePath(t *testing.T) {
	var w WorkOrder
	err := decode([]byte(`{"order_no":"1","processing_flows":[{"created_at":"secret-ish"}],"status":{}}`), &w)
	if err == nil || err.Error() != "/processing_flows/0/created_at cannot be read from string" {
		t.Errorf("got %v", err)
	}
	if w.OrderNo != "1" {
		t.Error("what could be read was not")
	}
}
