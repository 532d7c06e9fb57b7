package facts

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Missing is why an expression has no value: a word that no table knows, a
// component that the form lacks, a member that was not sent.
type Missing struct {
	Table  string // the table that lacks the word, "" if none was asked
	Column string // the column that is empty, "" if the row itself is missing
	Word   string // the word that was looked for, shortened
	Reason string // one phrase for a person, "" where the table says it all
}

// Error is the reason, or what the table lacks, and the word.
func (m *Missing) Error() string {
	switch {
	case m.Reason != "" && m.Word != "":
		return m.Reason + ": " + strconv.Quote(m.Word)
	case m.Reason != "":
		return m.Reason
	case m.Column != "":
		return "table " + m.Table + " has no " + m.Column + " for " + strconv.Quote(m.Word)
	}
	return "table " + m.Table + " has no row " + strconv.Quote(m.Word)
}

// maxWord is how much of a word an error shows.
const maxWord = 60

// Shorten cuts a word to what an error shows.
func Shorten(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if utf8.RuneCountInString(s) <= maxWord {
		return s
	}
	return string([]rune(s)[:maxWord]) + "…"
}
