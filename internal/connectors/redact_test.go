package connectors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"gongdan-bridge/internal/testwing/connectortest"
)

func TestRedactURL(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"https://api.kingdee.com/a/b?access_token=abc&authority_info=x%2By", "https://api.kingdee.com/a/b?access_token=…&authority_info=…"},
		{"http://127.0.0.1:9/x?limit=10&corp=1&offset=20", "http://127.0.0.1:9/x?limit=10&corp=…&offset=20"},
		{"https://user:pw@h/p#frag", "https://h/p"},
		{"/p?a=1;b=2", "/p?a=…"},
		{"https://h/p?bare", "https://h/p?bare=…"},
	} {
		u, err := url.Parse(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := RedactURL(u); got != tc.want {
			t.Errorf("RedactURL(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

// TestScrub: the text is clean, errors.Is still works, and nothing gives out the
// original.
func TestScrub(t *testing.T) {
	original := &url.Error{Op: "Get", URL: "https://h/p?access_token=sesame", Err: context.DeadlineExceeded}
	err := Scrub(fmt.Errorf("fetch token: %w", original))
	if want := `fetch token: Get "https://h/p?access_token=…": context deadline exceeded`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Error("errors.Is does not answer for the cause")
	}
	if leak := (*url.Error)(nil); errors.As(err, &leak) {
		t.Error("errors.As takes the original out")
	}
	connectortest.NoSecret(t, err, "sesame")
	if Scrub(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestVendorText(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"操作失败", "操作失败"},
		{"token T0K3N is bad", "token … is bad"},
		{"see /x?access_token=abc&p=1 for it", "see /x?access_token=…&p=… for it"},
		{`{"access_token": "abc"}`, `{"access_token": "…"}`},
		{"quoted T0%2FK3N", "quoted …"},
		{"two\r\nlines\x00\x1b[31m", "two lines [31m"},
		{"bad \xff utf", "bad  utf"},
		{strings.Repeat("长", 400), strings.Repeat("长", 299) + "…"},
	} {
		want := strings.Join(strings.Fields(tc.want), " ")
		if got := VendorText(tc.in, "T0K3N", "T0/K3N", "x"); got != want {
			t.Errorf("VendorText(%q) = %q, want %q", tc.in, got, want)
		}
	}
}

// FuzzVendorText: a secret that stands in a text in any of the usual ways is gone,
// and what comes out is short, valid and one line.
func FuzzVendorText(f *testing.F) {
	f.Add("before ", " after", uint8(0))
	f.Add("https://h/p?", "&x=1", uint8(1))
	f.Add("\"", "\"}", uint8(2))
	f.Add("\xff?", "\x00", uint8(3))
	f.Fuzz(func(t *testing.T, before, after string, way uint8) {
		const secret = "80YVhAfnQaOYK7vg+/L1NZ="
		shapes := []string{"access_token=" + url.QueryEscape(secret), secret, "authority_info: " + secret, url.QueryEscape(secret)}
		got := VendorText(before+shapes[int(way)%len(shapes)]+after, secret)
		if strings.Contains(got, "80YVhAfnQaOYK7vg") || strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("it shows: %q", got)
		}
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxText {
			t.Errorf("%d runes, valid %v", utf8.RuneCountInString(got), utf8.ValidString(got))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999": 24 * time.Hour,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
			time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
		} {
			if got := RetryAfter(http.Header{"Retry-After": {value}}); got != want {
				t.Errorf("RetryAfter(%q) = %v, want %v", value, got, want)
			}
		}
	})
}

func TestReadAll(t *testing.T) {
	for n, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: ErrTooLarge} {
		b, err := ReadAll(strings.NewReader(strings.Repeat("x", n)), 10)
		if !errors.Is(err, want) || (err == nil && len(b) != n) {
			t.Errorf("%d bytes with a limit of 10: %d bytes, %v", n, len(b), err)
		}
	}
}
