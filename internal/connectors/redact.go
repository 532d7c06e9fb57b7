package connectors

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"unicode"
)

// hidden stands where a secret was.
const hidden = "…"

// maxText bounds a vendor's text, in runes.
const maxText = 300

// Shapes in free text that can carry a token. They are read only.
var (
	urlShape   = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.\-]*://[^\s"'<>\\]+`)
	queryShape = regexp.MustCompile(`([?&][A-Za-z0-9_.\-]+=)[^&\s"'<>#\\]*`)
	tokenShape = regexp.MustCompile(`(?i)((?:access_?token|authority_?info|app_?signature|client_?secret|app_?secret|corp_?secret|app-token)["']?\s*[=:]\s*["']?)[^\s"',;&}]+`)
)

// shown lists the query parameters whose values may be seen: they page.
func shown(name string) bool {
	switch name {
	case "limit", "offset", "page", "pageindex", "pagesize":
		return true
	}
	return false
}

// RedactURL is u with scheme, host, path and the names of its parameters; their
// values are "…", but for a few that only page. User and fragment are left out.
func RedactURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	var b strings.Builder
	if u.Scheme != "" {
		b.WriteString(u.Scheme + "://")
	}
	b.WriteString(u.Host + u.EscapedPath())
	sep := "?"
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if !shown(name) {
			value = hidden
		}
		b.WriteString(sep + name + "=" + value)
		sep = "&"
	}
	return b.String()
}

// scrubbed is an error with a text of our own. It still answers errors.Is for what
// it was made of, but gives nobody the original, whose text or fields may hold a URL.
type scrubbed struct {
	text string
	is   func(target error) bool
}

func (e *scrubbed) Error() string        { return e.text }
func (e *scrubbed) Is(target error) bool { return e.is(target) }

// opaque is err under another text.
func opaque(text string, err error) error {
	return &scrubbed{text: text, is: func(target error) bool { return errors.Is(err, target) }}
}

// Scrub is err without the queries of the URLs in its text; nil stays nil. What it
// wraps can be asked for with errors.Is, but not taken out with errors.As.
func Scrub(err error) error {
	if err == nil {
		return nil
	}
	return opaque(scrubText(err.Error()), err)
}

func scrubText(s string) string {
	s = urlShape.ReplaceAllStringFunc(s, func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			return "[url]"
		}
		return RedactURL(u)
	})
	s = queryShape.ReplaceAllString(s, "${1}"+hidden)
	return tokenShape.ReplaceAllString(s, "${1}"+hidden)
}

// VendorText makes a vendor's error text fit to be a Failure's Reason: the given
// secrets, queries of URLs and what follows the name of a token are hidden, control
// characters become spaces, and it is one line of at most 300 characters.
func VendorText(s string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) < 4 {
			continue
		}
		s = strings.ReplaceAll(s, secret, hidden)
		s = strings.ReplaceAll(s, url.QueryEscape(secret), hidden)
	}
	if len(s) > 16*maxText { // not earlier: half a secret is not found
		s = s[:16*maxText]
	}
	s = scrubText(strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText-1]) + "…"
	}
	return s
}

// Phrase says in words of ours what kept an answer from coming. The error's own
// text may quote what the peer sent, which may quote our URL.
func Phrase(err error) string {
	var (
		dns  *net.DNSError
		op   *net.OpError
		cert *tls.CertificateVerificationError
		rec  tls.RecordHeaderError
		alrt tls.AlertError
		no   syscall.Errno
		wait net.Error
	)
	switch {
	case errors.Is(err, errTimeout):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "stopped by the caller"
	case errors.Is(err, context.DeadlineExceeded):
		return "the caller's time ran out"
	case errors.Is(err, ErrTooLarge):
		return "the answer is too large"
	case errors.As(err, &dns):
		return "the host's name could not be resolved"
	case errors.As(err, &cert):
		return "the host's certificate is not trusted"
	case errors.As(err, &rec), errors.As(err, &alrt):
		return "the TLS handshake failed"
	case errors.As(err, &op) && op.Op == "dial" && errors.As(err, &no):
		return "no connection: " + no.Error()
	case errors.As(err, &no):
		return "the connection broke: " + no.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the end of the answer"
	case errors.As(err, &wait) && wait.Timeout():
		return "the network timed out"
	default:
		return "the answer is not HTTP, or was cut off"
	}
}
