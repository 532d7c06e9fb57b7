package events

import (
	"errors"
	"strings"
)

// errToken is what Untoken answers for text that Token never wrote.
var errToken = errors.New("events: not an escaped token")

const upperHex = "0123456789ABCDEF"

// Token writes s so that it is one token of a subject and a legal part of a
// bucket key: letters, digits, '-' and '_' stay, every other byte becomes =XX.
// The empty string becomes "=" alone, so that no subject has an empty token.
func Token(s string) string {
	if s == "" {
		return "="
	}
	n := 0
	for i := range len(s) {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*n)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// Untoken reads what [Token] wrote; it accepts nothing else, so that every
// string has one token and every token one string.
func Untoken(t string) (string, error) {
	if t == "=" {
		return "", nil
	}
	if t == "" {
		return "", errToken
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		c := t[i]
		switch {
		case plain(c):
			b.WriteByte(c)
		case c == '=' && i+2 < len(t):
			hi := strings.IndexByte(upperHex, t[i+1])
			lo := strings.IndexByte(upperHex, t[i+2])
			if hi < 0 || lo < 0 || plain(byte(hi<<4|lo)) {
				return "", errToken
			}
			b.WriteByte(byte(hi<<4 | lo))
			i += 2
		default:
			return "", errToken
		}
	}
	return b.String(), nil
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
