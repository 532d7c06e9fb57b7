package config

import (
	"fmt"
	"strings"
)

// checks finds the function that a setting's tag names; nil for "".
func checks(name string) func(value string) (found, expected string) {
	switch name {
	case "aes_key":
		return checkAESKey
	case "token_key":
		return checkTokenKey
	case "block":
		return checkBlock
	default:
		return nil
	}
}

func checkAESKey(value string) (found, expected string) {
	bad := func(r rune) bool { return !isIDRune(r) || r == '-' || r == '_' }
	if len(value) == 43 && strings.IndexFunc(value, bad) < 0 {
		return "", ""
	}
	return fmt.Sprintf("a secret of %d characters", len(value)), "an EncodingAESKey of exactly 43 letters and digits"
}

func checkTokenKey(value string) (found, expected string) {
	if _, ok := tokenKey(value); ok {
		return "", ""
	}
	return fmt.Sprintf("a secret of %d characters", len(value)), "32 bytes in base64 or hex"
}

func checkBlock(value string) (found, expected string) {
	if len(value) == 16 {
		return "", ""
	}
	return fmt.Sprintf("%d bytes", len(value)), "16 bytes"
}
