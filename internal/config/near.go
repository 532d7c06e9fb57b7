package config

import "strings"

// nearest is the word among words that was most likely meant, "" where none is close: at most a
// third of the letters may differ.
func nearest(word string, words []string) string {
	best, distance := "", max(1, len(word)/3)+1
	for _, candidate := range words {
		if d := edits(strings.ToLower(word), candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// edits counts insertions, deletions, substitutions and swaps of neighbours between two words.
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// keyHint is what an unknown key was meant to be: a sibling that is spelled alike, or else a
// setting of that very name in another section.
func keyHint(key string, siblings []string, specs map[string]Setting) string {
	if len(key) > 64 {
		return ""
	}
	if word := nearest(key, siblings); word != "" {
		return word
	}
	best := ""
	for path := range specs {
		if strings.HasSuffix(path, "."+key) && (best == "" || len(path) < len(best) || len(path) == len(best) && path < best) {
			best = path
		}
	}
	return best
}
