package kingdee

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// authorityInfo is the query value authority_info: Base64 of AES-128-CBC, padded
// as PKCS#7, over "<access_token>,<user id>".
func authorityInfo(key, iv, token, userID string) (string, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return "", fmt.Errorf("authority_info: %w", err)
	}
	if len(iv) != aes.BlockSize {
		return "", fmt.Errorf("authority_info: the IV has %d bytes, it must have %d", len(iv), aes.BlockSize)
	}
	plain := []byte(token + "," + userID)
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, []byte(iv)).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain), nil
}

// hexMAC is Base64 over the lower-case hex text of HMAC-SHA256, as the gateway
// wants it (not over the MAC's bytes).
func hexMAC(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(mac.Sum(nil))))
}

// appSignature is the parameter app_signature of kingdee_auth_token.
func appSignature(appKey, appSecret string) string { return hexMAC(appSecret, appKey) }

// canonical is the text that the gateway signature covers: method, path, sorted
// query, nonce and time stamp, each line ended, the last one too. The body is not
// covered. path is the API's, without a prefix that a proxy of ours may have.
func canonical(method, path string, query url.Values, nonce, stamp string) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, formEncode(name)+"="+formEncode(v))
		}
	}
	slices.Sort(pairs)
	for i, pair := range pairs {
		name, v, _ := strings.Cut(pair, "=")
		pairs[i] = percentEncode(name) + "=" + percentEncode(v)
	}
	return strings.ToUpper(method) + "\n" +
		percentEncode(path) + "\n" +
		strings.Join(pairs, "&") + "\n" +
		"x-api-nonce:" + nonce + "\n" +
		"x-api-timestamp:" + stamp + "\n"
}

// sign sets the gateway's headers for a jdyconnector call.
func sign(h http.Header, clientID, secret, method, path string, query url.Values, now time.Time) error {
	n, err := rand.Int(rand.Reader, big.NewInt(9_000_000_000))
	if err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	nonce := strconv.FormatInt(n.Int64()+1_000_000_000, 10)
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	// The names are written as the vendor writes them, so not by Set.
	h["X-Api-ClientID"] = []string{clientID}
	h["X-Api-Auth-Version"] = []string{"2.0"}
	h["X-Api-TimeStamp"] = []string{stamp}
	h["X-Api-Nonce"] = []string{nonce}
	h["X-Api-SignHeaders"] = []string{"X-Api-TimeStamp,X-Api-Nonce"}
	h["X-Api-Signature"] = []string{hexMAC(secret, canonical(method, path, query, nonce, stamp))}
	return nil
}

// formEncode is the first pass of the vendor's SDK: Java's form encoder.
func formEncode(s string) string {
	return encode(s, func(c byte) bool { return c == '*' || c == '-' || c == '_' || c == '.' || c == ' ' })
}

// percentEncode is its second pass.
func percentEncode(s string) string {
	return encode(s, func(c byte) bool { return c == '-' || c == '_' || c == '.' || c == '~' })
}

func encode(s string, plain func(c byte) bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ' ' && plain(c):
			b.WriteByte('+')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || plain(c):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
