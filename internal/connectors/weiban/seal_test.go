package weiban

import (
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Seal makes what Weiban would send for plaintext: the base64 text and its
// signature; random gives the 16 bytes that precede the message
// (crypto/rand.Reader).
func (k Key) Seal(plaintext []byte, receiver, timestamp, nonce string, random io.Reader) (encrypt, signature string, err error) {
	s, err := k.signer()
	if err != nil {
		return "", "", fmt.Errorf("seal callback: %w", err)
	}
	if uint64(len(plaintext)) > math.MaxUint32 {
		return "", "", errors.New("seal callback: message too long")
	}
	box := make([]byte, headBytes, headBytes+len(plaintext)+len(receiver)+padBlock)
	if _, err := io.ReadFull(random, box[:randomBytes]); err != nil {
		return "", "", fmt.Errorf("seal callback: random bytes: %w", err)
	}
	binary.BigEndian.PutUint32(box[randomBytes:], uint32(len(plaintext)))
	box = append(box, plaintext...)
	box = append(box, receiver...)
	pad := padBlock - len(box)%padBlock
	for range pad {
		box = append(box, byte(pad))
	}
	encrypt, signature = s.sealBlocks(box, timestamp, nonce)
	return encrypt, signature, nil
}

// sealBlocks encrypts and signs box, which is whole AES blocks, in place.
func (s *signer) sealBlocks(box []byte, timestamp, nonce string) (encrypt, signature string) {
	cipher.NewCBCEncrypter(s.block, s.iv[:]).CryptBlocks(box, box)
	encrypt = base64.StdEncoding.EncodeToString(box)
	hexed := s.signature(nil, timestamp, nonce, encrypt)
	return encrypt, string(hexed[:])
}
