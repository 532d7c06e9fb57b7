package weiban

import (
	"strings"
	"time"
)

// What a time is counted in is told by its size: below the first of these it is
// seconds, from each of them on a thousandth of the unit before.
const (
	leastMillis = 100_000_000_000
	leastMicros = 1000 * leastMillis
	leastNanos  = 1000 * leastMicros
	lastMillis  = 253_402_300_799_999 // the end of the year 9999
)

// Moment is the time that a member of Weiban's stands for, in UTC, exact to the
// millisecond: seconds (with fraction), milliseconds, microseconds or nanoseconds
// since 1970 as decimal number, or a date with or without a time of day, RFC 3339
// or looser, China's where it names no zone. Zero, negative numbers and what lies
// behind the year 9999 are no moment.
//
// It is the one reader of times: positions, mappings and details use it.
func Moment(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if at, ok := instant(text); ok {
		return at, true
	}
	return calendar(text)
}

// instant is the moment that a number stands for.
func instant(text string) (time.Time, bool) {
	d, ok := parseDecimal(text)
	if !ok || d.IsNegative() || size(d) > 18 && !d.BigInt().IsInt64() {
		return time.Time{}, false
	}
	n := d.IntPart()
	switch {
	case n >= leastNanos:
		n /= 1_000_000
	case n >= leastMicros:
		n /= 1000
	case n < leastMillis:
		n = d.Shift(3).IntPart()
	}
	return millisecond(n)
}

func millisecond(n int64) (time.Time, bool) {
	if n == 0 || n > lastMillis {
		return time.Time{}, false
	}
	return time.UnixMilli(n).UTC(), true
}

// layouts are the ways in which a date is written, with '-' for '/' and a blank
// between date and time. Fractions of a second are read without being named.
var layouts = [...]string{
	"2006-1-2 15:4:5", "2006-1-2 15:4:5Z07:00", "2006-1-2 15:4:5Z0700", "2006-1-2 15:4:5 Z07:00", "2006-1-2 15:4:5 Z0700",
	"2006-1-2 15:4", "2006-1-2 15:4Z07:00", time.DateOnly, "2006-1-2",
}

// calendar is the moment that a date stands for; without a zone it is China's.
func calendar(text string) (time.Time, bool) {
	if len(text) < len("2006-1-2") || len(text) > 40 {
		return time.Time{}, false
	}
	text = strings.ReplaceAll(text, "/", "-")
	for _, t := range "Tt" {
		text = strings.Replace(text, string(t), " ", 1)
	}
	text = strings.Replace(text, "z", "Z", 1)
	china := time.FixedZone("UTC+8", 8*60*60)
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, china); err == nil && at.Year() > 1 && at.UTC().Year() <= 9999 {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// noMoment says whether a text stands for a time that is not there: zero as a
// number, and what databases and Go write for it.
func noMoment(text string) bool {
	text = strings.TrimSpace(text)
	if text == "" || text == "-62135596800" || strings.HasPrefix(text, "0000-00-00") || strings.HasPrefix(text, "0001-01-01") {
		return true
	}
	d, ok := parseDecimal(text)
	return ok && d.IsZero()
}
