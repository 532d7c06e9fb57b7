package ingest

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// tenantOf is the tenant that a path names: /weiban/{tenant}, also with a slash behind
// it and with doubled slashes. A redirect to the proper form would repeat the signed
// query in its Location.
func tenantOf(path string) (name string, ok bool) {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(parts) != 2 || parts[0] != "weiban" {
		return "", false
	}
	return parts[1], true
}

// The parameters that Weiban sends (消息订阅, doc-477078).
var parameterNames = []string{"msg_signature", "timestamp", "nonce", "echostr"}

// parameters reads Weiban's parameters, the first of each name, and looks at no other:
// what a proxy or a person appended may hold anything. It fails where one of Weiban's
// has an escape that cannot be read.
func parameters(raw string) (q url.Values, ok bool) {
	q = make(url.Values, len(parameterNames))
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !slices.Contains(parameterNames, name) || q.Has(name) {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, false
		}
		q.Set(name, value)
	}
	return q, true
}

// compressed reports a body that is not sent as it is: Weiban's never are, and who
// compresses them on the way must be told.
func compressed(h http.Header) bool {
	for _, encoding := range h.Values("Content-Encoding") {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return true
		}
	}
	return false
}

// gzipped reports a body that is compressed although no header says so.
func gzipped(body []byte) bool { return bytes.HasPrefix(body, []byte{0x1f, 0x8b}) }

// longestEcho is far more than the eight or nine digits that Weiban's samples have.
const longestEcho = 64

// echoLike reports whether a plaintext is what Weiban asks to have echoed. Who captured
// a callback can ask for its decryption with the same signature; that is JSON, and is
// not told.
func echoLike(text []byte) bool {
	if len(text) == 0 || len(text) > longestEcho {
		return false
	}
	for _, b := range text {
		if b <= ' ' || b > '~' || strings.IndexByte(`{}[]"`, b) >= 0 {
			return false
		}
	}
	return true
}

// tenDigits reports a time in seconds as Weiban signs it.
func tenDigits(timestamp string) bool {
	return len(timestamp) == 10 && strings.Trim(timestamp, "0123456789") == ""
}

// plainPath is a wrong address for the log: as it came where it is short and plain, so
// that nothing of a query that slipped into it is repeated; else "".
func plainPath(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_.-", r)
	}
	if len(path) > 64 || strings.TrimFunc(path, plain) != "" {
		return ""
	}
	return path
}

// knownMethod is a method for the log and the trace; a stranger may invent any word.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch:
		return method
	}
	return "other"
}
