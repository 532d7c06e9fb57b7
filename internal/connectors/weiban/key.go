package weiban

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

const (
	aesKeyChars = 43 // characters of an EncodingAESKey
	randomBytes = 16 // random bytes before the message
	headBytes   = randomBytes + 4
	padBlock    = 32 // the padding's block, not AES's
)

// Key is what the callback configuration (回调应用配置) of the Weiban console
// shows: a Token (any text without white space) and an EncodingAESKey (43
// letters and digits). It never prints itself.
type Key struct {
	Token          string
	EncodingAESKey string
}

// String hides the key.
func (k Key) String() string { return "weiban.Key(hidden)" }

// GoString hides the key from %#v.
func (k Key) GoString() string { return k.String() }

// LogValue hides the key from logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// signer is a key made ready: safe for use by several goroutines at once.
type signer struct {
	token string
	block cipher.Block
	iv    [aes.BlockSize]byte
}

func (k Key) signer() (signer, error) {
	if k.Token == "" {
		return signer{}, errors.New("token is empty")
	}
	if strings.ContainsAny(k.Token, " \t\r\n") {
		return signer{}, errors.New("token has white space in it")
	}
	if n := len(k.EncodingAESKey); n != aesKeyChars {
		return signer{}, fmt.Errorf("EncodingAESKey has %d characters, want %d", n, aesKeyChars)
	}
	if strings.ContainsAny(k.EncodingAESKey, "\r\n") {
		return signer{}, errors.New("EncodingAESKey has a line break in it")
	}
	// Not Strict: the last character of Weiban's own sample key has bits over.
	raw, err := base64.StdEncoding.DecodeString(k.EncodingAESKey + "=")
	if err != nil {
		return signer{}, errors.New("EncodingAESKey is not base64 text")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return signer{}, errors.New("EncodingAESKey is not a 32 byte key")
	}
	return signer{token: k.Token, block: block, iv: [aes.BlockSize]byte(raw)}, nil
}

// signature is the lower-case hex SHA-1 over token, timestamp, nonce and
// encrypt, sorted by bytes and put together. buf is scratch space.
func (s *signer) signature(buf []byte, timestamp, nonce, encrypt string) (hexed [2 * sha1.Size]byte) {
	parts := [...]string{s.token, timestamp, nonce, encrypt}
	slices.Sort(parts[:])
	buf = buf[:0]
	for _, p := range parts {
		buf = append(buf, p...)
	}
	sum := sha1.Sum(buf)
	hex.Encode(hexed[:], sum[:])
	return hexed
}
