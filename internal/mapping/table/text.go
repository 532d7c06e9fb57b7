package table

import (
	"iter"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Clean is a text as a table keeps it: without white space of every kind and byte
// order marks around it, and with \n for a line's end.
func Clean(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
	if strings.Contains(s, "\r\n") {
		return lineEnd.ReplaceAllString(s, "\n")
	}
	return s
}

var lineEnd = regexp.MustCompile("\r+\n")

// form is a text without what a reader hardly sees: width, blanks, invisible characters,
// and the radicals that look like characters.
func form(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(s))
}

// alike is the first word that differs from key in form alone, "" if there is none.
func alike(key string, words iter.Seq[string]) string {
	want := form(key)
	for word := range words {
		if word != key && form(word) == want {
			return word
		}
	}
	return ""
}

// rounded is how a spreadsheet shows a long number, and then saves it: the
// digits behind are lost. Spreadsheets write the +; a code such as 5E01 has none.
var rounded = regexp.MustCompile(`^[0-9](\.[0-9]+)?[eE]\+[0-9]{2,3}$`)

// Rounded reports whether a cell is a long number as a spreadsheet has spoilt it,
// such as 1.69701E+18.
func Rounded(cell string) bool { return rounded.MatchString(cell) }

// CSVLine is a row as [ReadCSV] reads it, with its line's end. A word that begins
// with # stands in quotes, or its line would be a comment.
func CSVLine(cells []string) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		if cell != "" && !strings.HasPrefix(cell, "#") && !strings.ContainsAny(cell, "\",\r\n") {
			b.WriteString(cell)
			continue
		}
		if cell != "" {
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
	}
	b.WriteByte('\n')
	return b.String()
}
