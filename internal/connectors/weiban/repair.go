package weiban

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// The words for what was odd about a plaintext and could be read all the same, in
// attribute repaired of an event.
const (
	oddBOM       = "bom"       // a byte order mark before it
	oddPadding   = "padding"   // blanks, NULs or padding bytes around it
	oddUTF16     = "utf16"     // written in UTF-16
	oddGBK       = "gbk"       // written in GBK or GB18030
	oddCESU8     = "cesu8"     // characters written as two surrogates of three bytes each
	oddUTF8      = "utf8"      // bytes that are no character, such as one cut in two; U+FFFD stands for them
	oddControl   = "control"   // control characters as they are
	oddSurrogate = "surrogate" // half a surrogate pair; U+FFFD stands for it
	oddDuplicate = "duplicate" // a name given twice in one object; the last value stands
	oddNumber    = "number"    // a number too long or too large; a text stands for it
	oddDeep      = "deep"      // nested too deep; its JSON as a text stands for it
	oddText      = "text"      // the whole object inside a JSON text
)

// repaired is a plaintext that was not JSON as it came.
type repaired struct {
	text []byte
	odd  []string
	lost []byte // what U+FFFD stands for now, and where: so two texts stay two
}

func (r *repaired) say(word string) {
	if !slices.Contains(r.odd, word) {
		r.odd = append(r.odd, word)
	}
}

// lose takes down bytes that become U+FFFD at a place of the text.
func (r *repaired) lose(at int, b []byte) {
	r.lost = append(strconv.AppendInt(r.lost, int64(at), 10), ':')
	r.lost = append(append(r.lost, b...), ' ')
}

// repair takes away what keeps a reader from reading JSON and does not touch
// what it says. JSON comes out as it went in, and the result may still be none.
func repair(b []byte) repaired {
	r := repaired{text: b}
	r.wide()
	if text := unframed(r.text); len(text) < len(r.text) {
		if bytes.HasPrefix(bytes.TrimLeft(r.text, "\x00\t\r\n "), []byte(bom)) {
			r.say(oddBOM)
		}
		if len(bytes.TrimPrefix(r.text, []byte(bom))) > len(text) {
			r.say(oddPadding)
		}
		r.text = text
	}
	if !utf8.Valid(r.text) {
		r.surrogates()
	}
	if !utf8.Valid(r.text) && !r.chinese() {
		r.cut()
	}
	r.texts()
	return r
}

const bom = "\xef\xbb\xbf"

// unframed is b without byte order marks before it, and without blanks and
// control characters around it: no JSON begins or ends with those.
func unframed(b []byte) []byte {
	framing := func(c rune) bool { return c <= ' ' || c == 0x7f }
	b = bytes.TrimFunc(b, framing)
	for bytes.HasPrefix(b, []byte(bom)) {
		b = bytes.TrimFunc(b[len(bom):], framing)
	}
	return b
}

// wide reads UTF-16, which is known by its byte order mark or by the NULs beside
// its first two characters.
func (r *repaired) wide() {
	b := r.text
	if len(b) < 4 {
		return
	}
	order := unicode.LittleEndian
	switch first := b[:2]; {
	case first[0] == 0xff && first[1] == 0xfe, first[0] == '{' && first[1] == 0 && b[3] == 0:
	case first[0] == 0xfe && first[1] == 0xff, first[0] == 0 && first[1] == '{' && b[2] == 0:
		order = unicode.BigEndian
	default:
		return
	}
	if text, ok := decoded(unicode.UTF16(order, unicode.UseBOM), b); ok {
		r.text = text
		r.say(oddUTF16)
	}
}

// decoded is b in UTF-8; ok is false where some of it is no character of e.
func decoded(e encoding.Encoding, b []byte) (text []byte, ok bool) {
	text, err := e.NewDecoder().Bytes(b)
	return text, err == nil && !bytes.ContainsRune(text, utf8.RuneError)
}

// surrogates puts the characters together that CESU-8 writes as two, and takes
// down the halves that stand alone.
func (r *repaired) surrogates() {
	half := func(b []byte) rune {
		if len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0 && b[1] <= 0xbf && b[2]&0xc0 == 0x80 {
			return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f)
		}
		return 0
	}
	out := make([]byte, 0, len(r.text))
	for rest := r.text; len(rest) > 0; {
		one := half(rest)
		if one == 0 {
			out, rest = append(out, rest[0]), rest[1:]
			continue
		}
		if c := utf16.DecodeRune(one, half(rest[3:])); c != utf8.RuneError {
			out, rest = utf8.AppendRune(out, c), rest[6:]
			r.say(oddCESU8)
			continue
		}
		r.lose(len(out), rest[:3])
		out, rest = utf8.AppendRune(out, utf8.RuneError), rest[3:]
		r.say(oddSurrogate)
	}
	r.text = out
}

// chinese reads GB18030, of which GBK is a part. A text of UTF-8 with some
// characters damaged would make Chinese of a kind, too: it is known by the whole
// characters of three bytes that are the greater part of it.
func (r *repaired) chinese() bool {
	beyond, whole := 0, 0
	for i := 0; i < len(r.text); {
		_, n := utf8.DecodeRune(r.text[i:])
		if r.text[i] >= utf8.RuneSelf {
			beyond += n
		}
		if n >= 3 {
			whole += n
		}
		i += n
	}
	if 2*whole > beyond {
		return false
	}
	text, ok := decoded(simplifiedchinese.GB18030, r.text)
	if ok {
		r.text = text
		r.say(oddGBK)
	}
	return ok
}

// cut puts U+FFFD in the place of bytes that are no character.
func (r *repaired) cut() {
	out := make([]byte, 0, len(r.text)+8)
	for rest := r.text; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		if c == utf8.RuneError && n == 1 {
			r.lose(len(out), rest[:1])
			r.say(oddUTF8)
		}
		out, rest = utf8.AppendRune(out, c), rest[n:]
	}
	r.text = out
}

// texts escapes the control characters inside JSON's texts, drops those outside,
// and puts U+FFFD in the place of an escaped half of a surrogate pair.
func (r *repaired) texts() {
	out := make([]byte, 0, len(r.text)+16)
	inside := false
	for rest := r.text; len(rest) > 0; {
		c, n := rest[0], 1
		switch {
		case c == '"':
			inside = !inside
			out = append(out, c)
		case c < ' ' && inside:
			out = append(out, `\u00`...)
			out = append(out, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			r.say(oddControl)
		case c < ' ' && c != '\t' && c != '\r' && c != '\n':
			r.say(oddControl)
		case c == '\\' && inside && len(rest) > 1:
			var escape []byte
			escape, n = r.escape(rest, len(out))
			out = append(out, escape...)
		default:
			out = append(out, c)
		}
		rest = rest[n:]
	}
	r.text = out
}

// escape is the escape sequence that b begins with, or two of them, and how long
// they are in b; at is their place in the text.
func (r *repaired) escape(b []byte, at int) (escape []byte, n int) {
	one := unit(b)
	switch {
	case one < 0:
		return b[:2], 2
	case !utf16.IsSurrogate(one):
		return b[:6], 6
	case utf16.DecodeRune(one, unit(b[6:])) != utf8.RuneError:
		return b[:12], 12
	}
	r.lose(at, b[:6])
	r.say(oddSurrogate)
	return []byte("\uFFFD"), 6
}

// unit is the UTF-16 unit that b begins with as \uXXXX, or -1.
func unit(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
