package config

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const masked = "[secret]"

// Secret is a text that no print, log, JSON or YAML of it shows. The zero value is "none".
type Secret struct {
	from string
	// held is a pointer because fmt prints unexported fields without asking their methods, but
	// prints only the address of a nested pointer.
	held *string
}

// Reveal is the secret itself, "" where there is none. What it returns must go nowhere but into the
// vendor's call or the redactor.
func (s Secret) Reveal() string {
	if s.held == nil {
		return ""
	}
	return *s.held
}

// IsSet reports whether there is a secret.
func (s Secret) IsSet() bool { return s.held != nil }

// From is where the secret was read, env:NAME or file:PATH; "" where it was read nowhere.
func (s Secret) From() string { return s.from }

// Equal compares in constant time, so that go-cmp and callers need not reveal.
func (s Secret) Equal(other Secret) bool {
	return s.from == other.from && subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String masks.
func (s Secret) String() string { return s.mask() }

// GoString masks %#v.
func (s Secret) GoString() string { return s.mask() }

// Format masks under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.mask()) }

// MarshalJSON masks.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.mask() + `"`), nil }

// MarshalYAML masks.
func (s Secret) MarshalYAML() (any, error) { return s.mask(), nil }

// LogValue masks in slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.mask()) }

func (s Secret) mask() string {
	if s.held == nil {
		return ""
	}
	return masked
}
