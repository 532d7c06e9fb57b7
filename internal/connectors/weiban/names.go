package weiban

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unnumbered begins the key of what is about an order that cannot be told. No
// number that is read begins so.
const Unnumbered = "unnumbered-"

// number is what an order, an opportunity or a message is called: a text without
// the blanks around it, or the digits of a whole number. Else fault says why it
// cannot be read, and nothing of what it holds.
func number(v any) (text, fault string) {
	switch v := v.(type) {
	case nil:
		return "", "is absent"
	case string:
		return numberText(strings.TrimSpace(v))
	case json.Number:
		if text, ok := wholeDigits(v.String()); ok {
			return text, ""
		}
		return "", "is a number whose digits are not all written"
	case literal:
		return "", "is a number that is too long"
	case several:
		return "", "is given more than once, with different values"
	}
	_, f := scalarOf(v)
	return "", "is of type " + string(f)
}

func numberText(text string) (_, fault string) {
	switch {
	case text == "":
		return "", "is empty"
	case len(text) > maxID:
		return "", "is too long"
	case strings.ContainsRune(text, unicode.ReplacementChar):
		return "", "has characters that cannot be told"
	case strings.IndexFunc(text, unseen) >= 0:
		return "", "has control or invisible characters"
	case strings.HasPrefix(text, Unnumbered):
		return "", "begins as only the bridge's own keys do"
	}
	return text, ""
}

// unseen reports whether a character cannot be seen, so that two texts that look
// the same may differ by it.
func unseen(r rune) bool {
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// wholeDigits is a number in plain digits, if the literal has all of them: one
// with an exponent that stands for zeros may have been rounded.
func wholeDigits(number string) (string, bool) {
	if digits(number) {
		return number, true
	}
	d, ok := parseDecimal(number)
	if !ok || d.IsNegative() || !d.IsInteger() {
		return "", false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
	written := strings.TrimLeft(strings.ReplaceAll(mantissa, ".", ""), "0")
	return d.String(), len(written) >= len(d.String())
}

// identifier is number where only what can be read counts.
func identifier(v any) string {
	text, _ := number(v)
	return text
}

// word is a text that may stand in a subject and in an event's type: without
// blanks around it and characters that cannot be seen, one of the documented
// words in its own spelling, whatever its capitals and what parts it. "" is none.
func word(v any, documented ...string) string {
	text, ok := v.(string)
	if !ok || slices.Contains(documented, text) {
		return text
	}
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unseen(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text))
	for _, d := range documented {
		if strings.EqualFold(unparted(text), unparted(d)) {
			return d
		}
	}
	if !plain(text) {
		return ""
	}
	return text
}

// unparted is a name without what parts its words.
func unparted(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-. ", r) {
			return -1
		}
		return r
	}, name)
}

// plain reports whether a text is 1 to maxWord letters, digits, '_', '-' and '.'.
func plain(text string) bool {
	for _, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return text != "" && len(text) <= maxWord
}

// about guesses the event of a text that names none by the words in it; "" if it
// mentions no order. Any letter of JSON may be escaped.
func about(text []byte) (event string) {
	s := strings.ToLower(unparted(string(unescaped(text))))
	mentions := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
	}
	switch {
	case mentions("workorder", "orderno", "工单"):
		return EventWorkOrder
	case mentions("opportunity", "商机"):
		return EventOpportunity
	default:
		return ""
	}
}

// unescaped is a text with the characters that its \u escapes stand for.
func unescaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for rest := text; len(rest) > 0; {
		if c := unit(rest); c > ' ' {
			out, rest = utf8.AppendRune(out, c), rest[6:]
			continue
		}
		out, rest = append(out, rest[0]), rest[1:]
	}
	return out
}
