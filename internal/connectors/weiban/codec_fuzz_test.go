package weiban

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// FuzzOpen gives the codec any text, with a wrong and with a right signature,
// and any blocks rightly encrypted: it must never panic, and answer only its
// own errors.
func FuzzOpen(f *testing.F) {
	_, text := seal(f, keyOne, `{"id":"1"}`, corp)
	f.Add(text, []byte(`{"encrypt":"x"}`))
	f.Add("AAAA", box(1<<32-1, "abcd", 8, 8))
	f.Add(" +/=\n", box(1, "a"+corp, 8, 8))
	c := codec(f, keyTwo, keyOne)
	check := func(t *testing.T, got []byte, err error) {
		if err != nil && (got != nil || FaultOf(err) == "" || !errors.Is(err, ErrNotCallback) && !errors.Is(err, ErrRefused)) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	f.Fuzz(func(t *testing.T, text string, blocks []byte) {
		got, err := c.Open(query(text), text)
		check(t, got, err)
		if err == nil {
			t.Fatal("opened without a signature")
		}
		got, err = c.Open(signed(t, keyOne, text))
		check(t, got, err)
		got, err = c.OpenBody(query(text), blocks)
		check(t, got, err)
		blocks = blocks[:len(blocks)/16*16]
		got, err = c.Open(sealBox(t, keyOne, blocks))
		check(t, got, err)
		if err == nil && !bytes.Contains(blocks, append(bytes.Clone(got), corp...)) && !bytes.Contains(blocks, append(bytes.Clone(got), "ww-other"...)) {
			t.Fatalf("message %q is not in front of a receiver", got)
		}
	})
}

// FuzzEnvelope holds the quick reader to the general one's word.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{`{"encrypt":"a"}`, `{"Encrypt":"a","x":"y"} `, `{"a":"b","a":"c","encrypt":"d"}`, `{"encrypt":"\u0041"}`, `{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		quick, ok := plainEnvelope(body)
		if !ok {
			return
		}
		// A member that is no text turns the quick reader away.
		at := bytes.LastIndexByte(body, '}')
		slow, fault := envelope(append(bytes.Clone(body[:at]), `,"?":0}`...))
		if fault != "" && !bytes.Contains(body, []byte(`"?"`)) || fault == "" && slow != quick {
			t.Fatalf("quick %q, general %q %q", quick, slow, fault)
		}
	})
}

// BenchmarkOpen opens a callback of 1 KB; the goal is 40,000 a second and core.
func BenchmarkOpen(b *testing.B) {
	text := `{"id":"` + strings.Repeat("0123456789abcdef", 63) + `"}`
	for _, keys := range [][]Key{{keyOne}, {keyTwo, keyOne}} {
		c := codec(b, keys...)
		q, encrypt := seal(b, keyOne, text, corp)
		body := []byte(`{"corp_id":"` + corp + `","app_id":"app-1","encrypt":"` + encrypt + `"}`)
		b.Run(fmt.Sprintf("keys=%d", len(keys)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Open(q, encrypt); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("body/keys=%d", len(keys)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.OpenBody(q, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
