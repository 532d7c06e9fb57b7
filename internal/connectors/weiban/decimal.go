package weiban

import (
	"strconv"
	"strings"
	"time"
)

// maxDigits bounds every number that is read from text.
const maxDigits = 40

// decimal is a number in decimal digits: no leading zeros before the point but
// one, no trailing ones behind it.
type decimal struct {
	negative        bool
	whole, fraction string
}

// String is the plain notation, without exponent.
func (d decimal) String() string {
	s := d.whole
	if d.fraction != "" {
		s += "." + d.fraction
	}
	if d.negative {
		s = "-" + s
	}
	return s
}

// parseDecimal reads what JSON calls a number, exactly.
func parseDecimal(text string) (d decimal, ok bool) {
	if text == "" || len(text) > maxDigits {
		return d, false
	}
	shift := 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		n, err := strconv.Atoi(text[at+1:])
		if err != nil || n > maxDigits || n < -maxDigits {
			return d, false
		}
		text, shift = text[:at], n
	}
	text, d.negative = strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(text, ".")
	if !digits(whole) || point && !digits(fraction) {
		return d, false
	}
	all := whole + fraction
	point10 := len(whole) + shift
	if point10 < 0 {
		all = strings.Repeat("0", -point10) + all
		point10 = 0
	}
	if over := point10 - len(all); over > 0 {
		all += strings.Repeat("0", over)
	}
	d.whole = strings.TrimLeft(all[:point10], "0")
	d.fraction = strings.TrimRight(all[point10:], "0")
	if d.whole == "" {
		d.whole = "0"
	}
	d.negative = d.negative && (d.whole != "0" || d.fraction != "")
	return d, true
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// From this value on a number is a time in milliseconds; below, in seconds.
const (
	leastMillis = 100_000_000_000
	lastMillis  = 253_402_300_799_999 // the end of the year 9999
)

// instant is the moment that a number stands for, exact to the millisecond:
// Weiban sends seconds with fraction and milliseconds for the same member.
// Zero, negative numbers and what lies behind the year 9999 are no moment.
func instant(text string) (time.Time, bool) {
	d, ok := parseDecimal(text)
	if !ok || d.negative || len(d.whole) > 15 {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(d.whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if n < leastMillis {
		ms, err := strconv.ParseInt((d.fraction + "000")[:3], 10, 64)
		if err != nil {
			return time.Time{}, false
		}
		n = n*1000 + ms
	}
	if n == 0 || n > lastMillis {
		return time.Time{}, false
	}
	return time.UnixMilli(n).UTC(), true
}

// calendar is the moment that a date stands for; without a zone it is China's.
func calendar(text string) (time.Time, bool) {
	china := time.FixedZone("UTC+8", 8*60*60)
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, china); err == nil && t.Year() > 1 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
