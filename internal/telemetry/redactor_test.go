package telemetry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRedactorCutsWhatItKnows(t *testing.T) {
	r := NewRedactor()
	r.Add("hunter2secret", "hunter2", `a"b<c>&d`, "abc", "")
	for text, want := range map[string]string{
		"":                                  "",
		"nothing to see":                    "nothing to see",
		"hunter2":                           "…",
		"hunter2secret":                     "…",
		"hunter2hunter2":                    "……",
		"x hunter2secret y hunter2 z":       "x … y … z",
		"hunter":                            "hunter",
		"Hunter2":                           "Hunter2",
		"工单hunter2工单":                       "工单…工单",
		`{"v":"a\"b<c>&d"}`:                 `{"v":"…"}`,
		`{"v":"a\"b\u003cc\u003e\u0026d"}`:  `{"v":"…"}`,
		"q=" + url.QueryEscape(`a"b<c>&d`):  "q=…",
		"p/" + url.PathEscape(`a"b<c>&d`):   "p/…",
		"abc is too short to be looked for": "abc is too short to be looked for",
	} {
		if got := r.Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
		if got := string(r.Bytes([]byte(text))); got != want {
			t.Errorf("Bytes(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestRedactorKnowsShapes(t *testing.T) {
	r := NewRedactor()
	for text, want := range map[string]string{
		`Get "https://open.weibanzhushou.com/open-api/workorder/detail?access_token=t0k&order_no=144&limit=30": EOF`: `Get "https://open.weibanzhushou.com/open-api/workorder/detail?access_token=…&order_no=…&limit=30": EOF`,
		`{"url":"https://api.kingdee.com/x?a=b\u0026authority_info=80YV%2B/x"}`:                                      `{"url":"https://api.kingdee.com/x?a=…\u0026authority_info=…"}`,
		`GET /weiban/acme?msg_signature=abc&timestamp=1`:                                                             `GET /weiban/acme?msg_signature=…&timestamp=…`,
		`dial nats://bridge:pa55@bus:4222: refused`:                                                                  `dial nats://…@bus:4222: refused`,
		`access_token: 17515896966fadec`:                                                                             `access_token: …`,
		`{"access_token":"17515896966fadec","n":1}`:                                                                  `{"access_token":"…","n":1}`,
		`"body":"{\"accessToken\":\"17515896966fadec\"}"`:                                                            `"body":"{\"accessToken\":\"…\"}"`,
		`Client_Secret=0123456789abcdef rest`:                                                                        `Client_Secret=… rest`,
		`tenants[0].kingdee.app: lacks "client_secret"; expected env:NAME or file:PATH`:                              `tenants[0].kingdee.app: lacks "client_secret"; expected env:NAME or file:PATH`,
		`https://open.weibanzhushou.com/open-api/workorder/detail?access_token=…`:                                    `https://open.weibanzhushou.com/open-api/workorder/detail?access_token=…`,
		`level=INFO msg="token renewed" tenant=acme`:                                                                 `level=INFO msg="token renewed" tenant=acme`,
		`why? because`: `why? because`,
	} {
		if got := r.Text(text); got != want {
			t.Errorf("Text(%q)\n = %q\nwant %q", text, got, want)
		}
		if again := r.Text(want); again != want {
			t.Errorf("Text(%q) = %q: what is cut must stay as it is", want, again)
		}
	}
}

func TestRotatedSecretsAreForgottenInTheEnd(t *testing.T) {
	r := NewRedactor()
	r.Rotate("acme weiban", "token-0000")
	r.Rotate("other weiban", "token-other")
	for i := 1; i <= kept; i++ {
		r.Rotate("acme weiban", fmt.Sprintf("token-000%d", i))
		r.Rotate("acme weiban", fmt.Sprintf("token-000%d", i)) // the same again is nothing new
	}
	if got := r.Text("token-0000 token-0001 token-0004 token-other"); got != "token-0000 … … …" {
		t.Errorf("Text = %q, want all but the oldest cut", got)
	}
}

func TestWriterPassesOnWholeLinesAndErrors(t *testing.T) {
	r := NewRedactor()
	r.Add("hunter2secret")
	var out bytes.Buffer
	n, err := r.Writer(&out).Write([]byte("a hunter2secret b\n"))
	if n != 18 || err != nil || out.String() != "a … b\n" {
		t.Errorf("Write = %d, %v; wrote %q", n, err, out.String())
	}
	full := errors.New("disk full")
	if n, err := r.Writer(failing{full}).Write([]byte("x")); n != 0 || !errors.Is(err, full) {
		t.Errorf("Write = %d, %v; want the writer's error", n, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Whatever surrounds secrets, and whatever they are made of: none is left, plain or within JSON,
// and cutting twice cuts no more.
func TestNoSecretIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringMatching(`[ -~]{4,40}`), 1, 8).Draw(t, "secrets")
		r := NewRedactor()
		r.Add(secrets...)
		var text strings.Builder
		for _, secret := range secrets {
			text.WriteString(rapid.String().Draw(t, "around"))
			text.WriteString(secret)
		}
		got := r.Text(text.String())
		quoted, err := json.Marshal(text.String())
		if err != nil {
			t.Fatal(err)
		}
		line := string(r.Bytes(quoted))
		for _, secret := range secrets {
			if strings.Contains(got, secret) {
				t.Errorf("%q is left in %q", secret, got)
			}
			form, err := json.Marshal(secret)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, strings.Trim(string(form), `"`)) {
				t.Errorf("%q is left in %q", secret, line)
			}
		}
		if again := r.Text(got); again != got {
			t.Errorf("cut twice: %q, then %q", got, again)
		}
	})
}

func FuzzRedactor(f *testing.F) {
	f.Add("GET /x?access_token=hunter2secret HTTP/1.1", "hunter2secret")
	f.Add(`{"client_secret":"0123456789"}`, "a\"b\\c")
	f.Add("nats://u:p@h", "\xff\xfe\xfd\xfc")
	f.Add(`&\u0026=`, "????")
	f.Fuzz(func(t *testing.T, text, secret string) {
		r := NewRedactor()
		r.Add(secret)
		got := r.Text(text)
		if string(r.Bytes([]byte(text))) != got {
			t.Errorf("Text and Bytes differ on %q", text)
		}
		if len(secret) >= shortestSecret && !strings.Contains(secret, hidden) && strings.Contains(cutNeedles(r.now.Load(), text), secret) {
			t.Errorf("%q is left in %q", secret, got)
		}
	})
}

// line is a log line as the dispatcher writes one an attempt.
const line = `{"time":"2026-11-22T18:14:05.123456789+08:00","level":"INFO","msg":"attempt","service":"dispatcher","instance":"host-4711","tenant":"acme","event":"6f0c2b44-3c1e-4a8b-9d8e-2f6f1f0b7a11","order":"1446377590381088768","stage":"handle","noun":"work_order","attempt":1,"verdict":"applied","kind":"","code":"success","api":"kingdee handle-order","duration":0.182734,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}`

func BenchmarkRedactCleanLine(b *testing.B) {
	r := NewRedactor()
	for i := range 200 {
		r.Add(fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i)})))
	}
	text := []byte(line)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if got := r.Bytes(text); len(got) != len(text) {
			b.Fatal("a clean line was cut")
		}
	}
}
