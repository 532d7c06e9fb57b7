package telemetry

import (
	"bytes"
	"regexp"
	"strings"
)

// shapes are what a secret looks like even where its value is not known.
type shapes struct{ address, query, named *regexp.Regexp }

func newShapes() shapes {
	return shapes{
		address: regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#"'<>@\\]*@`),
		query:   regexp.MustCompile(`(?:[?&]|\\u0026)[A-Za-z0-9_.-]+=[^&\s"'<>#\\]+`),
		named: regexp.MustCompile(`(?i)\b(access_?token|app-token|authority_?info|app_?signature|msg_?signature|client_?secret|app_?secret|corp_?secret)` +
			`(\\?["']?\s*[=:]\s*\\?["']?)([^\s"'\\,;&}…]{8,})`),
	}
}

// cut puts the mark of a cut in place of the user of an address, of the values of a query, and of
// what follows a token's name.
func cut[T string | []byte](s shapes, text T) T {
	may := look(text)
	if may == (suspicion{}) {
		return text
	}
	b := []byte(text)
	if may.address {
		b = s.address.ReplaceAll(b, []byte("${1}"+hidden+"@"))
	}
	if may.query {
		b = s.query.ReplaceAllFunc(b, cutQuery)
	}
	if may.named {
		b = s.named.ReplaceAll(b, []byte("${1}${2}"+hidden))
	}
	return T(b)
}

func cutQuery(found []byte) []byte {
	name, _, _ := bytes.Cut(found, []byte("="))
	if isShown(strings.TrimPrefix(strings.TrimLeft(string(name), "?&"), `\u0026`)) {
		return found
	}
	return []byte(string(name) + "=" + hidden)
}

// isShown lists the parameters of a query that only page; every other value goes.
func isShown(name string) bool {
	switch name {
	case "limit", "offset", "page", "pageindex", "pagesize":
		return true
	default:
		return false
	}
}

// suspicion says which shapes a text may hold.
type suspicion struct{ address, query, named bool }

// look is the quick look that spares almost every text the expressions, which are a hundred times slower.
func look[T string | []byte](text T) suspicion {
	var at, mark, equals, tail bool
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '@':
			at = true
		case '?', '&':
			mark = true
		case '=':
			equals = true
		case 'o', 'O', 'e', 'E', 'u', 'U', 'i', 'I': // tOKEN, sECRET, aUTHORITY, sIGNATURE
			tail = tail || i+4 <= len(text) && isTail(text[i], text[i+1], text[i+2], text[i+3])
		case '\\': // & as JSON writes it
			mark = mark || i+5 < len(text) && text[i+1] == 'u' && text[i+5] == '6'
		}
	}
	return suspicion{address: at, query: mark && equals, named: tail}
}

func isTail(a, b, c, d byte) bool {
	const lower = 0x20
	switch [4]byte{a | lower, b | lower, c | lower, d | lower} {
	case [4]byte{'o', 'k', 'e', 'n'}, [4]byte{'e', 'c', 'r', 'e'}, [4]byte{'u', 't', 'h', 'o'}, [4]byte{'i', 'g', 'n', 'a'}:
		return true
	default:
		return false
	}
}
