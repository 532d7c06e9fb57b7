package weiban

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// contentKey hashes what the message says, not how it is written. Records of
// effects hold it for 400 days, so what it is made of never changes.
func contentKey(event, status string, members map[string]any) string {
	if sent, ok := members["event"].(string); ok && plain(sent) {
		event = sent
	}
	if sent, ok := members["status"].(string); ok && plain(sent) {
		status = sent
	}
	b := make([]byte, 0, 1024)
	for _, text := range []string{event, status, strconv.FormatInt(keyMillis(members["create_time"]), 10)} {
		b = canonical(b, text)
	}
	sum := sha256.Sum256(canonical(b, members["msg_data"]))
	return "c-" + hex.EncodeToString(sum[:16])
}

// keyMillis is a callback's create_time in milliseconds as the content key has
// it: numbers alone, up to the year 9999 in milliseconds, and 0 for all else.
// Other readers of times may learn more notations; this one must not.
func keyMillis(v any) int64 {
	text, f := scalarOf(v)
	d, ok := parseDecimal(text)
	if !ok || f != formNumber && f != formText || d.IsNegative() || size(d) > 15 {
		return 0
	}
	n := d.IntPart()
	if n < 100_000_000_000 {
		n = d.Shift(3).IntPart()
	}
	if n > 253_402_300_799_999 {
		return 0
	}
	return n
}

// intakeKey hashes what a message says, so that a redelivery has the key of the
// first delivery: without create_time, retry_count and seq, and without the
// query of addresses, where the same picture may have a new signature. JSON inside
// a text counts as the JSON. lost is what repair could not keep.
func intakeKey(members map[string]any, lost []byte) string {
	b := make([]byte, 0, 1024)
	for _, name := range sortedNames(members) {
		switch name {
		case "id", "create_time", "retry_count", "seq":
		default:
			b = canonicalBy(canonical(b, name), members[name], addressOnly)
		}
	}
	sum := sha256.Sum256(append(b, lost...))
	return hex.EncodeToString(sum[:16])
}

// addressOnly is what an intake key sees of a text: an address without its query and
// fragment, or the tree that is in it as JSON.
func addressOnly(text string) any {
	if inner, ok := inside(text); ok {
		return inner
	}
	if at := strings.IndexAny(text, "?#"); at >= 0 && address(text) {
		return text[:at]
	}
	return text
}

// address reports whether a text is a URL and nothing else.
func address(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) && !strings.ContainsAny(text, " \t\r\n")
}

// canonical appends v in the one way in which its content can be written:
// texts with their length, members sorted, numbers in plain notation.
func canonical(b []byte, v any) []byte { return canonicalBy(b, v, nil) }

// canonicalBy is canonical of a tree in which by says what a text counts as; nil
// leaves it what it is.
func canonicalBy(b []byte, v any, by func(string) any) []byte {
	switch v := v.(type) {
	case map[string]any:
		b = strconv.AppendInt(append(b, '{'), int64(len(v)), 10)
		for _, name := range sortedNames(v) {
			b = canonicalBy(canonical(b, name), v[name], by)
		}
		return b
	case []any:
		return canonicalList(b, '[', v, by)
	case several:
		return canonicalList(b, '<', v, by)
	case literal:
		return canonicalText(b, '=', string(v))
	case json.Number:
		text := v.String()
		if !digits(text) { // JSON has no zeros before whole numbers
			if d, ok := parseDecimal(text); ok {
				text = d.String()
			}
		}
		return canonicalText(b, formNumber[0], text)
	case string:
		if by == nil {
			return canonicalText(b, formText[0], v)
		}
		x := by(v)
		if text, ok := x.(string); ok {
			return canonicalText(b, formText[0], text)
		}
		return canonicalBy(b, x, by)
	}
	text, f := scalarOf(v)
	return canonicalText(b, f[0], text)
}

func canonicalList(b []byte, mark byte, list []any, by func(string) any) []byte {
	b = strconv.AppendInt(append(b, mark), int64(len(list)), 10)
	for _, member := range list {
		b = canonicalBy(b, member, by)
	}
	return b
}

// sortedNames are an object's names, sorted.
func sortedNames(members map[string]any) []string {
	all := make([]string, 0, len(members))
	for name := range members {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func canonicalText(b []byte, mark byte, text string) []byte {
	b = strconv.AppendInt(append(b, mark), int64(len(text)), 10)
	return append(append(b, ':'), text...)
}
