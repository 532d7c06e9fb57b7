package fakeweiban

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
)

// block is what the plaintext is padded to: twice AES's own block.
const block = 32

// Envelope signs and encrypts what Weiban sends to a callback address
// (消息加解密, doc-477078). It is the simulator's own, written from the guide, so
// that it does not repeat a mistake of the receiver.
type Envelope struct {
	Token    string // of the signature
	Receiver string // the tail of the plaintext: the corp id that the console shows
	key      []byte // 32 bytes; the first 16 are the IV too
}

// NewEnvelope takes the console's three settings. encodingAESKey has 43
// characters of base64; bits left over in the last one are not looked at.
func NewEnvelope(token, encodingAESKey, receiver string) (Envelope, error) {
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil {
		return Envelope{}, fmt.Errorf("read encoding aes key: %w", err)
	}
	if len(key) != 32 {
		return Envelope{}, errors.New("read encoding aes key: it does not hold 32 bytes")
	}
	return Envelope{Token: token, Receiver: receiver, key: key}, nil
}

// Sign is the msg_signature over the encrypted text: SHA-1, in lower-case hex,
// of the four strings put together in byte order.
func (e Envelope) Sign(timestamp, nonce, encrypt string) string {
	parts := []string{e.Token, timestamp, nonce, encrypt}
	sort.Strings(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// Seal encrypts a message: 16 random bytes, the message's length, the message
// and the receiver, padded, in AES-256-CBC, as base64.
func (e Envelope) Seal(message []byte, random [16]byte) (string, error) {
	var plain bytes.Buffer
	plain.Write(random[:])
	_ = binary.Write(&plain, binary.BigEndian, uint32(len(message))) // a buffer takes everything
	plain.Write(message)
	plain.WriteString(e.Receiver)
	pad := block - plain.Len()%block
	plain.Write(bytes.Repeat([]byte{byte(pad)}, pad))

	c, err := aes.NewCipher(e.key)
	if err != nil {
		return "", fmt.Errorf("seal message: %w", err)
	}
	out := make([]byte, plain.Len())
	cipher.NewCBCEncrypter(c, e.key[:aes.BlockSize]).CryptBlocks(out, plain.Bytes())
	return base64.StdEncoding.EncodeToString(out), nil
}
