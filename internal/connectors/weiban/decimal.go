package weiban

import (
	"strconv"
	"strings"
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
