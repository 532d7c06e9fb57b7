package weiban

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const corp = "1704174310933890049"

var (
	keyOne = Key{Token: "token-one", EncodingAESKey: strings.Repeat("abcdefghij", 4) + "abc"}
	keyTwo = Key{Token: "zweites-token", EncodingAESKey: strings.Repeat("KLMNOPQRST", 4) + "KLM"}
)

func codec(t testing.TB, keys ...Key) *Codec {
	t.Helper()
	c, err := NewCodec(keys, []string{"ww-other", corp})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seal is a callback of k as Weiban sends it: the query and the text. It gives
// the same text every time, so that a wrong key always fails in the same place.
func seal(t testing.TB, k Key, plaintext, receiver string) (url.Values, string) {
	t.Helper()
	encrypt, signature, err := k.Seal([]byte(plaintext), receiver, "1640244967", "64390332", bytes.NewReader(make([]byte, randomBytes)))
	if err != nil {
		t.Fatal(err)
	}
	return query(signature), encrypt
}

func query(signature string) url.Values {
	return url.Values{"msg_signature": {signature}, "timestamp": {"1640244967"}, "nonce": {"64390332"}}
}

// sealBox signs and encrypts blocks that need not be a well-formed message.
func sealBox(t testing.TB, k Key, box []byte) (url.Values, string) {
	t.Helper()
	s, err := k.signer()
	if err != nil {
		t.Fatal(err)
	}
	encrypt, signature := s.sealBlocks(bytes.Clone(box), "1640244967", "64390332")
	return query(signature), encrypt
}

// signed gives text, whatever it is, k's signature.
func signed(t testing.TB, k Key, text string) (url.Values, string) {
	t.Helper()
	s, err := k.signer()
	if err != nil {
		t.Fatal(err)
	}
	hexed := s.signature(nil, "1640244967", "64390332", text)
	return query(string(hexed[:])), text
}

// box is a plaintext as it is before encryption, with a length and a padding of
// the caller's choice.
func box(length uint32, tail string, pad int, padByte byte) []byte {
	b := bytes.Repeat([]byte{'r'}, randomBytes)
	b = binary.BigEndian.AppendUint32(b, length)
	b = append(b, tail...)
	return append(b, bytes.Repeat([]byte{padByte}, pad)...)
}

// The published sample of Weiban's own libraries must open: its key has bits
// over in the last character, its padding is longer than an AES block.
func TestEchoOpensThePublishedSample(t *testing.T) {
	raw, err := os.ReadFile("testdata/echo.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Token  string `json:"token"`
		AESKey string `json:"encoding_aes_key"`
		ID     string `json:"receive_id"`
		Query  string `json:"query"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	c, err := NewCodec([]Key{keyOne, {v.Token, v.AESKey}}, []string{v.ID})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as published":               v.Query,
		"plus left bare by a proxy":  strings.ReplaceAll(v.Query, "%2B", "+"),
		"everything percent-encoded": strings.ReplaceAll(v.Query, "/", "%2F"),
	} {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Echo(q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got) < 8 || len(got) > 9 || strings.Trim(string(got), "0123456789") != "" {
			t.Errorf("%s: reply %q, want a short decimal number and nothing around it", name, got)
		}
	}
}

func TestOpenTakesAnyKeyAndReceiver(t *testing.T) {
	sameToken := Key{Token: keyOne.Token, EncodingAESKey: keyTwo.EncodingAESKey}
	c := codec(t, keyOne, keyTwo, sameToken)
	for _, k := range []Key{keyOne, keyTwo, sameToken} {
		for _, receiver := range []string{corp, "ww-other"} {
			for _, text := range []string{"", "x", `{"id":"工单"}`, strings.Repeat("long", 1000)} {
				q, encrypt := seal(t, k, text, receiver)
				got, err := c.Open(q, encrypt)
				if err != nil || string(got) != text {
					t.Errorf("open for %s of %d bytes: %d bytes, %v", receiver, len(text), len(got), err)
				}
			}
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	with := func(q url.Values, name, value string) url.Values {
		q.Set(name, value)
		return q
	}
	call := func(q url.Values, e string) func() (url.Values, string) {
		return func() (url.Values, string) { return q, e }
	}
	good, text := seal(t, keyOne, "hello", corp)
	flipped := []byte(good.Get("msg_signature"))
	flipped[7] ^= 1
	tests := []struct {
		name  string
		call  func() (url.Values, string)
		fault Fault
		class error
	}{
		{"no signature", call(with(query(""), "x", "y"), text), FaultParameter, ErrNotCallback},
		{"no nonce", call(url.Values{"msg_signature": {"x"}, "timestamp": {"1"}}, text), FaultParameter, ErrNotCallback},
		{"no text", call(query("x"), ""), FaultNoEncrypt, ErrNotCallback},
		{"not base64", call(signed(t, keyOne, "not base64!")), FaultBase64, ErrNotCallback},
		{"line break in base64", call(signed(t, keyOne, text[:8]+"\n"+text[8:])), FaultBase64, ErrNotCallback},
		{"base64 without padding", call(signed(t, keyOne, base64.RawStdEncoding.EncodeToString(make([]byte, 32)))), FaultBase64, ErrNotCallback},
		{"base64 with bits over", call(signed(t, keyOne, strings.Repeat("A", 41)+"B==")), FaultBase64, ErrNotCallback},
		{"odd ciphertext", call(signed(t, keyOne, base64.StdEncoding.EncodeToString(make([]byte, 33)))), FaultCipherSize, ErrNotCallback},
		{"signature off by a bit", call(query(string(flipped)), text), FaultSignature, ErrRefused},
		{"signature cut", call(query(good.Get("msg_signature")[:39]), text), FaultSignature, ErrRefused},
		{"signature in capitals", call(query(strings.ToUpper(good.Get("msg_signature"))), text), FaultSignature, ErrRefused},
		{"other timestamp", call(with(query(good.Get("msg_signature")), "timestamp", "1640244968"), text), FaultSignature, ErrRefused},
		{"other key", call(seal(t, keyTwo, "hello", corp)), FaultSignature, ErrRefused},
		{"right token, other AES key", call(seal(t, Key{keyOne.Token, keyTwo.EncodingAESKey}, "hello", corp)), FaultPadding, ErrRefused},
		{"other receiver", call(seal(t, keyOne, "hello", "ww-third")), FaultReceiver, ErrRefused},
		{"receiver with a prefix", call(seal(t, keyOne, "hello", corp+"0")), FaultReceiver, ErrRefused},
		{"no receiver", call(seal(t, keyOne, "hello", "")), FaultReceiver, ErrRefused},
		{"padding zero", call(sealBox(t, keyOne, box(1, "abcd", 8, 0))), FaultPadding, ErrRefused},
		{"padding over 32", call(sealBox(t, keyOne, box(1, "abcd", 40, 40))), FaultPadding, ErrRefused},
		{"padding longer than all", call(sealBox(t, keyOne, bytes.Repeat([]byte{17}, 16))), FaultPadding, ErrRefused},
		{"padding not alike", call(sealBox(t, keyOne, append(box(1, "abcd", 7, 3), 8))), FaultPadding, ErrRefused},
		{"only padding", call(sealBox(t, keyOne, bytes.Repeat([]byte{32}, 32))), FaultMessageLength, ErrRefused},
		{"length over the end", call(sealBox(t, keyOne, box(5, "abcd", 8, 8))), FaultMessageLength, ErrRefused},
		{"length that wraps", call(sealBox(t, keyOne, box(1<<32-20, "abcd", 8, 8))), FaultMessageLength, ErrRefused},
		{"length of all ones", call(sealBox(t, keyOne, box(1<<32-1, "abcd", 8, 8))), FaultMessageLength, ErrRefused},
	}
	c := codec(t, keyOne)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, encrypt := tt.call()
			got, err := c.Open(q, encrypt)
			if got != nil || FaultOf(err) != tt.fault || !errors.Is(err, tt.class) {
				t.Errorf("got %q, %v (%v), want fault %q", got, err, errors.Unwrap(err), tt.fault)
			}
		})
	}
}

func TestEmptyReceiverIsAcceptedWhereAllowed(t *testing.T) {
	strict := codec(t, keyOne)
	lenient := strict.WithEmptyReceiver()
	for receiver, want := range map[string]Fault{"": "", corp: "", "ww-third": FaultReceiver} {
		q, encrypt := seal(t, keyOne, "hello", receiver)
		if got, err := lenient.Open(q, encrypt); FaultOf(err) != want || (err == nil) != (string(got) == "hello") {
			t.Errorf("receiver %q: %q, %v, want fault %q", receiver, got, err, want)
		}
	}
	if _, err := strict.Open(seal(t, keyOne, "hello", "")); FaultOf(err) != FaultReceiver {
		t.Errorf("the codec that it was made of accepts none too: %v", err)
	}
}

func TestOpenNamesTheReceiverItGot(t *testing.T) {
	for sent, want := range map[string]string{"ww-third": "ww-third", "bad\nline": "", strings.Repeat("w", 65): ""} {
		_, err := codec(t, keyOne).Open(seal(t, keyOne, "{}", sent))
		var ce *CallbackError
		if !errors.As(err, &ce) || ce.Received != want {
			t.Errorf("receiver %q: %+v, want %q noted", sent, err, want)
		}
	}
}

func TestOpenBody(t *testing.T) {
	q, text := seal(t, keyOne, "hello", corp)
	tests := []struct {
		body  string
		fault Fault
	}{
		{`{"corp_id":"x","app_id":"app-1","encrypt":"` + text + `"}`, ""},
		{`{"Encrypt":"` + text + `"}`, ""},
		{`{"encrypt":"` + strings.ReplaceAll(text, "/", `\/`) + `"}`, ""},
		{`{"encrypt":"` + text + `","Encrypt":"` + text + `"}`, FaultBody},
		{`{"encrypt":"x","encrypt":"` + text + `"}`, FaultBody},
		{`{"ENCRYPT":"` + text + `"}`, FaultNoEncrypt},
		{`{"encrypt":1}`, FaultNoEncrypt},
		{`{"encrypt":null}`, FaultNoEncrypt},
		{`{"encrypt":""}`, FaultNoEncrypt},
		{`{}`, FaultNoEncrypt},
		{bom + `{"encrypt":"` + text + `"}` + "\x00\x00", ""},
		{gbk(t, `{"name":"公司","encrypt":"`+text+`"}`), ""},
		{" { \"encrypt\" :\n\"" + text + "\" } \n", ""},
		{`{"公司":"x","encrypt":"` + text + `"}`, ""},
		{`{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","encrypt":"` + text + `"}`, ""},
		{`{"a":"1","encrypt":"` + text + `","a":"2"}`, FaultBody},
		{`{"encrypt":"` + text + `",}`, FaultBody},
		{`{"encrypt":"` + text + `"`, FaultBody},
		{``, FaultBody},
		{`null`, FaultBody},
		{`["` + text + `"]`, FaultBody},
		{`{"encrypt":"` + text + `"} x`, FaultBody},
		{"\ufeff" + `{"corp_id":"x","encrypt":"` + text + `"}` + "\r\n\x00\x00", ""},
		{"\ufeff\ufeff" + `{"encrypt":"` + text + `"}`, ""},
		{"\x00" + `{"encrypt":"` + text + `"}`, ""},
		{`<xml><Encrypt>` + text + `</Encrypt></xml>`, FaultBody},
		{`{"encrypt":` + strings.Repeat("[", 1e5), FaultBody},
		{`{"n":1e10000000,"encrypt":"` + text + `"}`, FaultBody},
	}
	for _, tt := range tests {
		got, err := codec(t, keyOne).OpenBody(q, []byte(tt.body))
		if FaultOf(err) != tt.fault || (err == nil) != (string(got) == "hello") {
			t.Errorf("%.60s: got %q, %v, want fault %q", tt.body, got, err, tt.fault)
		}
	}
}

func TestNewCodecReportsEveryFaultAndNoKey(t *testing.T) {
	bad := []Key{{"", keyOne.EncodingAESKey}, {"a token", keyOne.EncodingAESKey}, {"t", "short-secret"}, {"t", strings.Repeat("!", 43)}}
	_, err := NewCodec(bad, []string{"", " x"})
	if err == nil {
		t.Fatal("accepted")
	}
	text := err.Error()
	for _, want := range []string{
		"key 1: token is empty", "key 2: token has white space", "key 3: EncodingAESKey has 12 characters, want 43",
		"key 4: EncodingAESKey is not base64", "receiver 1 is empty", "receiver 2 is empty or has white space",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	for _, secret := range []string{"a token", "short-secret", keyOne.EncodingAESKey} {
		if strings.Contains(text+fmt.Sprintf("%v %+v %#v", bad, keyOne, keyOne), secret) {
			t.Errorf("%q leaks", secret)
		}
	}
	if _, err := NewCodec(nil, nil); err == nil {
		t.Error("a codec without keys and receivers was made")
	}
}

// What is sealed opens as it was, and not after any one bit was changed.
func TestOpenUndoesSealAndNothingElse(t *testing.T) {
	c := codec(t, keyOne, keyTwo)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		k := rapid.SampledFrom([]Key{keyOne, keyTwo}).Draw(t, "key")
		ts := rapid.StringN(1, 12, -1).Draw(t, "timestamp")
		encrypt, signature, err := k.Seal(text, corp, ts, "n", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"msg_signature": {signature}, "timestamp": {ts}, "nonce": {"n"}}
		got, err := c.Open(q, encrypt)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("got %x, %v, want %x", got, err, text)
		}
		spoilt := []byte(encrypt)
		spoilt[rapid.IntRange(0, len(spoilt)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 6).Draw(t, "bit")
		if _, err := c.Open(q, string(spoilt)); err == nil {
			t.Fatal("opened what was not signed")
		}
	})
}
