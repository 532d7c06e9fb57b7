package fakekingdee

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"sort"
	"strings"
)

// The key and the IV of authority_info are printed on the app vendor's site and
// are the same for every tenant.
const (
	authorityKey = "2c17e560c500f55c"
	authorityIV  = "5e8y6w45ju8w9jq8"
)

// authorityInfo is what the caller must have made of its token and user id:
// AES-128-CBC over "<token>,<user>", padded, in base64.
func authorityInfo(token, user string) string {
	plain := []byte(token + "," + user)
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	c, err := aes.NewCipher([]byte(authorityKey))
	if err != nil {
		panic("fakekingdee: a key of 16 bytes is a key: " + err.Error())
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(c, []byte(authorityIV)).CryptBlocks(out, plain)
	return base64.StdEncoding.EncodeToString(out)
}

// hexMAC is Kingdee's way to sign: base64 over the hex text of an HMAC-SHA256.
func hexMAC(secret, text string) string {
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = m.Write([]byte(text)) // never fails
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(m.Sum(nil))))
}

// appSignature is the app_signature of kingdee_auth_token.
func appSignature(appKey, appSecret string) string { return hexMAC(appSecret, appKey) }

// canonical is the text that the gateway signature is over: five lines, each
// ended, with the path encoded once and the values of the query twice.
func canonical(method, path, rawQuery, nonce, timestamp string) (string, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", fmt.Errorf("read query: %w", err)
	}
	var pairs []string
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, escape(escape(name))+"="+escape(escape(v)))
		}
	}
	sort.Strings(pairs)
	return strings.Join([]string{
		method, escape(path), strings.Join(pairs, "&"),
		"x-api-nonce:" + nonce, "x-api-timestamp:" + timestamp, "",
	}, "\n"), nil
}

// escape is percent-encoding that leaves only A–Z a–z 0–9 - _ . ~ alone.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
