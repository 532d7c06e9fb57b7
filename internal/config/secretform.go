package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// settle trims the line's end that editors and shells leave, and refuses what no vendor could have issued.
func settle(from, value string) (secret Secret, found, expected string) {
	value = strings.TrimSpace(value)
	if value == "" {
		return Secret{}, from + ", which is empty", "a secret"
	}
	if found, expected = unlike(value); found != "" {
		return Secret{}, from + ", which " + found, expected
	}
	return Secret{from: from, held: &value}, "", ""
}

// assignment is a line of an environment file. Base64 ends with =, and has no variable's name before it.
var assignment = regexp.MustCompile(`^(export\s+)?[A-Z][A-Z0-9_]{2,}=[^=]`)

// unlike says what of a text belongs to no secret, "" if nothing does. It repeats nothing of the text
// but an invisible character's code.
func unlike(value string) (found, expected string) {
	at := strings.IndexFunc(value, isInvisible)
	switch {
	case strings.HasPrefix(value, "\ufeff"):
		return "begins with a byte order mark (BOM)", "UTF-8 without BOM"
	case !strings.Contains(value, "\n") && (strings.Contains(value, " #") || strings.Contains(value, "\t#")):
		return "has a # comment behind it", "the secret and nothing else"
	case strings.IndexFunc(value, isControl) >= 0:
		return "holds line breaks or control characters", "a secret of one line"
	case at >= 0:
		r, _ := utf8.DecodeRuneInString(value[at:])
		return fmt.Sprintf("holds the invisible character %U", r), "the secret typed, or copied from the vendor's page again"
	case isQuoted(value):
		return "has quotes at both ends", "the secret without quotes"
	case assignment.MatchString(value):
		return "is a line NAME=value", "the value alone"
	}
	return "", ""
}

// isInvisible reports what a page or a chat leaves in a copied text.
func isInvisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r != ' ' && unicode.Is(unicode.Zs, r) || r == '\u2028' || r == '\u2029'
}

func isQuoted(value string) bool {
	first, n := utf8.DecodeRuneInString(value)
	last, m := utf8.DecodeLastRuneInString(value)
	if len(value) < n+m {
		return false
	}
	for _, pair := range []string{`""`, "''", "``", "“”", "‘’", "「」", "＂＂"} {
		if pair == string(first)+string(last) {
			return true
		}
	}
	return false
}
