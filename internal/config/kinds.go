package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of settings.
const (
	kindSection   = "section"   // a mapping
	kindList      = "list"      // a list of mappings
	kindText      = "text"      // one line
	kindName      = "name"      // a tenant's name
	kindID        = "id"        // an identifier, kept as written
	kindIDs       = "ids"       // a list of them
	kindAddress   = "address"   // host:port to listen on
	kindURL       = "url"       // a vendor's base address
	kindHosts     = "hosts"     // a list of host names
	kindServers   = "servers"   // NATS servers
	kindPath      = "path"      // a file
	kindWord      = "word"      // one of a few
	kindWords     = "words"     // a list of such words
	kindSwitch    = "switch"    // true, false
	kindCount     = "count"     // a whole number
	kindDuration  = "duration"  // Go's notation
	kindDurations = "durations" // a list of them
	kindSize      = "size"      // bytes
	kindSecret    = "secret"    // env:NAME, file:PATH
)

const (
	maxID   = 64
	maxName = 32
	maxText = 512
)

// Expected says what may be written, in words that fit behind "expected".
func (s Setting) Expected() string {
	switch s.Type {
	case kindSection:
		return "a mapping"
	case kindList:
		return "a list with at least one element"
	case kindText:
		return "a text"
	case kindName:
		return "1 to 32 of a-z, 0-9 and -, beginning and ending with a letter or digit"
	case kindID:
		return "1 to 64 letters, digits, - or _"
	case kindIDs:
		return "a list of ids, each 1 to 64 letters, digits, - or _"
	case kindAddress:
		return "host:port or :port"
	case kindURL:
		return "an https URL without user, query or fragment (http only to a loopback address)"
	case kindHosts:
		return "a list of host names such as img.example.com or *.example.com"
	case kindWords:
		return "a list of " + strings.Join(s.Words, ", ")
	case kindServers:
		return "nats:// or tls:// addresses without user or password, separated by commas"
	case kindPath:
		return "a path"
	case kindSwitch:
		return "true or false"
	case kindSecret:
		return "env:NAME or file:PATH"
	default:
		return s.expectedRange()
	}
}

func (s Setting) expectedRange() string {
	if len(s.Words) > 0 {
		return "one of " + strings.Join(s.Words, ", ")
	}
	what := map[string]string{
		kindCount:     "a whole number",
		kindDuration:  "a duration such as 30s or 2h",
		kindDurations: "a list of durations such as [30s, 2h]",
		kindSize:      "a size such as 512KiB or 2GiB",
	}[s.Type]
	if s.Min != "" {
		what += ", at least " + s.Min
	}
	if s.Max != "" {
		what += ", at most " + s.Max
	}
	return what
}

// parse reads one scalar. For the kinds with lists it reads one element; secrets and paths, which
// need the outside, come back as text.
func (s Setting) parse(text string) (any, bool) {
	switch s.Type {
	case kindText:
		return text, text != "" && len(text) <= maxText && strings.IndexFunc(text, isControl) < 0
	case kindPath, kindSecret:
		return text, text != "" && strings.IndexFunc(text, isControl) < 0
	case kindName:
		return text, isName(text)
	case kindID, kindIDs:
		return text, text != "" && len(text) <= maxID && strings.IndexFunc(text, func(r rune) bool { return !isIDRune(r) }) < 0
	case kindAddress:
		_, _, ok := splitAddress(text)
		return text, ok
	case kindURL:
		return strings.TrimSuffix(text, "/"), isBaseURL(text)
	case kindServers:
		return text, isServers(text)
	case kindHosts:
		return text, isHost(text)
	case kindWord, kindWords:
		return text, slices.Contains(s.Words, text)
	case kindSwitch:
		return text == "true", text == "true" || text == "false"
	default:
		return s.parseRange(text)
	}
}

func (s Setting) parseRange(text string) (any, bool) {
	value, number, ok := s.measure(text)
	if !ok || number < 0 || len(s.Words) > 0 && !slices.Contains(s.Words, text) {
		return nil, false
	}
	if _, low, ok := s.measure(s.Min); ok && number < low {
		return nil, false
	}
	if _, high, ok := s.measure(s.Max); ok && number > high {
		return nil, false
	}
	return value, true
}

// measure reads a count, duration or size, and gives it as its Go type and as a number to compare.
func (s Setting) measure(text string) (value any, number int64, ok bool) {
	switch s.Type {
	case kindCount:
		n, err := strconv.Atoi(text)
		return n, int64(n), err == nil
	case kindDuration, kindDurations:
		d, err := time.ParseDuration(text)
		return d, int64(d), err == nil
	default:
		size, err := ParseSize(text)
		return size, int64(size), err == nil
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }

func isIDRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

func isName(text string) bool {
	bad := func(r rune) bool { return !isIDRune(r) || r == '_' || r >= 'A' && r <= 'Z' }
	return text != "" && len(text) <= maxName && strings.IndexFunc(text, bad) < 0 && strings.Trim(text, "-") == text
}

// splitAddress takes host:port apart; the port is a number, since a service's name differs from host to host.
func splitAddress(text string) (host string, port int, ok bool) {
	host, service, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, " /@") {
		return "", 0, false
	}
	port, err = strconv.Atoi(service)
	return host, port, err == nil && port >= 0 && port <= 65535
}

func isBaseURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isHost takes a name of at least two parts, so that an address does not pass for one, and
// "*." before one.
func isHost(text string) bool {
	labels := strings.Split(strings.TrimPrefix(text, "*."), ".")
	for _, l := range labels {
		bad := func(r rune) bool { return !isIDRune(r) || r == '_' }
		if l == "" || len(l) > 63 || strings.IndexFunc(l, bad) >= 0 || strings.Trim(l, "-") != l {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) > 1 && len(last) > 1 && len(text) <= 253 && strings.TrimLeft(last, "0123456789") == last
}

func isServers(text string) bool {
	for server := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Path != "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return false
		}
	}
	return true
}
