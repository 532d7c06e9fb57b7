package ingest_test

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
)

// sign is Weiban's signature, written a second time so that a request can be
// signed over any ciphertext.
func sign(token, timestamp, nonce, encrypt string) string {
	parts := []string{token, timestamp, nonce, encrypt}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}
