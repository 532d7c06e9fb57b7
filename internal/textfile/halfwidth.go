package textfile

import "strconv"

// HalfWidth is the mark that was meant by a full-width one (全角), as a Chinese
// keyboard gives them; "" for any other character.
func HalfWidth(r rune) string {
	switch r {
	case '“', '”', '„', '「', '」', '『', '』':
		return `"`
	case '‘', '’':
		return "'"
	case '。':
		return "."
	case '、':
		return ","
	case '【':
		return "["
	case '】':
		return "]"
	}
	if r >= '！' && r <= '～' { // the full-width forms stand in ASCII's order
		return string(r - '！' + '!')
	}
	return ""
}

// InHalfWidth words what was expected in the place of a full-width mark.
func InHalfWidth(mark string) string { return strconv.Quote(mark) + " in half width (半角)" }
