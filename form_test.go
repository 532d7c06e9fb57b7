package bridge_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadmeNamesTheTwoCommands: they are what a reader tries first, and the
// second is what CI runs.
func TestReadmeNamesTheTwoCommands(t *testing.T) {
	for _, page := range []string{readme, readmeChinese} {
		text := read(t, page)
		for _, command := range []string{"go run ./cmd/sandbox", "go test ./..."} {
			if !strings.Contains(text, "\n    "+command+"\n") {
				t.Errorf("%s does not show %q on a line of its own", page, command)
			}
		}
	}
	if !regexp.MustCompile(`(?m)^go test (-timeout \w+ )?\./\.\.\.$`).MatchString(read(t, ".ci/run")) {
		t.Error(".ci/run does not run the README's test command")
	}
}

// TestReadmeIsShort: a newcomer must be able to read all of the README.
func TestReadmeIsShort(t *testing.T) {
	const most = 14 * 1024
	for _, page := range []string{readme, readmeChinese} {
		if n := len(read(t, page)); n > most {
			t.Errorf("%s has %d bytes; at most %d: move what is not for a first reading to docs", page, n, most)
		}
	}
}

// TestGlossaryIsShort: at most thirty words, each once.
func TestGlossaryIsShort(t *testing.T) {
	_, rest, found := strings.Cut(read(t, architecture), "\n## Glossary\n")
	if !found {
		t.Fatalf("%s has no glossary", architecture)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\w+) \| .+ \|$`).FindAllStringSubmatch(section, -1) {
		if m[1] == "word" {
			continue
		}
		if seen[m[1]] {
			t.Errorf("the glossary has %q twice", m[1])
		}
		seen[m[1]] = true
	}
	if n := len(seen); n < 10 || n > 30 {
		t.Errorf("the glossary has %d words; want 10 to 30", n)
	}
}

// TestReadmesSayTheSame: both have as many sections, table rows and steps, show the same
// code, and lead to the same pages.
func TestReadmesSayTheSame(t *testing.T) {
	english, chinese := outline(read(t, readme)), outline(read(t, readmeChinese))
	if diff := cmp.Diff(english, chinese); diff != "" {
		t.Errorf("form (-English +Chinese):\n%s", diff)
	}
}

// outline is the form of a page without its words: the marks of headings, table rows and
// numbered steps, the lines of code, and, in alphabetical order, the links. A link to the
// Chinese version of a page counts as one to the page.
func outline(page string) []string {
	var out []string
	mark := regexp.MustCompile(`^(#+|\||\d+\.) `)
	for line := range strings.Lines(page) {
		switch m := mark.FindStringSubmatch(line); {
		case m != nil:
			out = append(out, m[1])
		case strings.HasPrefix(line, "    ") && !strings.Contains(line, "─"):
			out = append(out, strings.TrimSpace(line))
		}
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	var links []string
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		links = append(links, strings.Replace(m[1], ".zh.md", ".md", 1))
	}
	slices.Sort(links)
	return append(out, slices.Compact(links)...)
}
