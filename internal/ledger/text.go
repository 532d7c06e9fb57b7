package ledger

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gongdan-bridge/internal/events"
)

// Bounds of texts in a record, in bytes.
const (
	maxName   = 128
	maxReason = 500
	seenLen   = 12
)

// clean bounds a text to n bytes and takes out what JSON would blow up.
func clean(s string, n int) string {
	if plain(s) && len(s) <= n {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), 2*n)], "?"))
	if len(s) <= n {
		return s
	}
	at := 0
	for i := range s {
		if i > n-len("…") {
			break
		}
		at = i
	}
	return strings.TrimRight(s[:at], " ") + "…"
}

func plain(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}

func faultOf(f *events.Failure) Fault {
	reason := f.Reason
	if reason == "" {
		reason = f.Error()
	}
	return Fault{
		Kind: f.Kind, API: clean(f.API, maxName), Code: clean(f.Code, maxName), Status: f.Status,
		Reason: clean(reason, maxReason), Rule: clean(f.Rule, maxName), Field: clean(f.Field, maxName),
		Expr: clean(f.Expr, maxReason), Word: clean(f.Word, maxName),
	}
}

// brief is the hash that a name shrinks to; that of a hash is itself.
func brief(id string) string {
	if strings.HasPrefix(id, "#") {
		return id
	}
	return "#" + digest(13, id)
}

// tidyIDs bounds the names of an effect; a long one becomes its hash.
func tidyIDs(ids []string) []string {
	var out []string
	for _, id := range ids {
		if len(id) > maxName || strings.HasPrefix(id, "#") || clean(id, maxName) != id {
			id = "#" + digest(13, id)
		}
		if id != "" && !slices.Contains(out, id) && len(out) < maxIDs {
			out = append(out, id)
		}
	}
	return out
}

// union adds names to names; the old ones stay.
func union(a, b []string) []string {
	out := append([]string(nil), a...)
	for _, id := range b {
		if len(out) < maxIDs && !slices.Contains(out, id) && !slices.Contains(out, brief(id)) {
			out = append(out, id)
		}
	}
	return out
}

// seen is the short hash of a message; remember keeps the newest of them.
func seen(eventID string, replay int) string {
	return digest(seenLen, eventID, strconv.Itoa(replay))
}

func remember(list []string, s string) []string {
	out := append(append([]string(nil), list...), s)
	return out[max(0, len(out)-maxSeen):]
}

// age is how old an event is, by the milliseconds its position begins with; an
// event without one is young.
func age(position string, now time.Time) time.Duration {
	ms, _, ok := strings.Cut(position, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return now.Sub(time.UnixMilli(n))
}
