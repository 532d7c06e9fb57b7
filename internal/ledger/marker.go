package ledger

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Marker is the token that marks the handling record of one application of an
// effect as ours, such as [wb:k3v9x0qa]. identity is the effect's surest.
func Marker(tenant, identity string, generation, application int) string {
	return "[wb:" + digest(8, tenant, identity, strconv.Itoa(generation), strconv.Itoa(application)) + "]"
}

var markerShape = regexp.MustCompile(`\[wb:[0-9a-v]{8}\]`)

// FindMarker is the first marker in a note, "" if it has none.
func FindMarker(note string) string { return markerShape.FindString(note) }

// WithMarker puts marker behind text, which is cut so that both fit into max
// characters; max ≤ 0 is no limit. The marker is never cut. Doing it again to
// its own result changes nothing.
func WithMarker(text, marker string, max int) string {
	if marker == "" {
		return cut(text, max)
	}
	text = strings.TrimRight(strings.TrimSuffix(text, marker), " ")
	if max > 0 {
		room := max - utf8.RuneCountInString(marker) - 1
		if room <= 0 {
			return marker
		}
		text = strings.TrimRight(cut(text, room), " ")
	}
	if text == "" {
		return marker
	}
	return text + " " + marker
}

// cut keeps at most the first max characters, and ends before a picture or a letter of
// several characters that would be cut apart; max ≤ 0 is no limit.
func cut(text string, max int) string {
	if max <= 0 || len(text) <= max {
		return text
	}
	end, rest, state := 0, text, -1
	for rest != "" {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if max -= utf8.RuneCountInString(cluster); max < 0 {
			return text[:end]
		}
		end += len(cluster)
	}
	return text
}

// digest is a short lower-case hash of parts, n ≤ 52 characters of five bits.
func digest(n int, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return strings.ToLower(base32.HexEncoding.EncodeToString(h.Sum(nil)))[:n]
}
