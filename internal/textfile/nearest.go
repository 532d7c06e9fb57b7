package textfile

import (
	"slices"
	"strconv"
	"strings"
)

// Nearest is the candidate that a person most likely meant by word: the one
// with the fewest slips (a letter wrong, missing, too much, or two swapped; case
// and underscores count for nothing), and "" where none is near.
func Nearest(word string, candidates []string) string {
	w := plain(word)
	best, least := "", len(w)/3+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		p := plain(c)
		if d := len(p) - len(w); d > least || -d > least {
			continue
		}
		if d := slips(w, p); d < least || d == least && best == "" {
			best, least = c, d
		}
	}
	if best != "" && least >= max(len(w), len(plain(best))) {
		return ""
	}
	return best
}

// Choice words what was expected instead of word: the nearest candidate, or all
// of them where none is near and there are few.
func Choice(word string, candidates []string) string {
	if n := Nearest(word, candidates); n != "" {
		return strconv.Quote(n)
	}
	if len(candidates) == 0 || len(candidates) > 12 {
		return ""
	}
	return OneOf(candidates)
}

// OneOf words a choice: "a", "b" or "c".
func OneOf(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	if len(q) < 2 {
		return strings.Join(q, "")
	}
	return strings.Join(q[:len(q)-1], ", ") + " or " + q[len(q)-1]
}

func plain(s string) []rune {
	return []rune(strings.ReplaceAll(strings.ToLower(s), "_", ""))
}

// slips is the optimal string alignment distance of a and b.
func slips(a, b []rune) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
