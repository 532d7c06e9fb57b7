package weiban

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// maxDigits bounds every number that is read from text.
const maxDigits = 40

// parseDecimal reads what JSON calls a number, exactly, with zeros before it.
func parseDecimal(text string) (d decimal.Decimal, ok bool) {
	mantissa := text
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		n, err := strconv.Atoi(text[at+1:])
		if err != nil || n > maxDigits || n < -maxDigits {
			return d, false
		}
		mantissa = text[:at]
	}
	whole, fraction, point := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if len(text) > maxDigits || !digits(whole) || point && !digits(fraction) {
		return d, false
	}
	d, err := decimal.NewFromString(text)
	return d, err == nil
}

// size is how many digits a number has before its point.
func size(d decimal.Decimal) int { return d.NumDigits() + int(d.Exponent()) }

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
