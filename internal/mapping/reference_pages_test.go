package mapping

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/schemas"
)

// The reference of the mapping language, in English and Chinese.
const (
	pageEnglish = "../../docs/mapping.md"
	pageChinese = "../../docs/mapping.zh.md"
)

// block is a fenced block of a page.
type block struct {
	info, text string
	line       int
}

// readPage gives a page's text and its fenced blocks.
func readPage(t *testing.T, file string) (text string, blocks []block) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for i, line := range strings.Split(string(b), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{info: info, line: i + 1}
		case fence:
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block is not closed", file, open.line)
	}
	return string(b), blocks
}

// TestReferencesAgree: both pages hold the same examples, but for their comments,
// the same commands and the same sections.
func TestReferencesAgree(t *testing.T) {
	english, chinese := outline(t, pageEnglish), outline(t, pageChinese)
	if diff := cmp.Diff(english, chinese); diff != "" || len(english) < 50 {
		t.Errorf("pages (-English +Chinese), %d parts:\n%s", len(english), diff)
	}
}

func outline(t *testing.T, file string) (out []string) {
	t.Helper()
	text, blocks := readPage(t, file)
	comment := regexp.MustCompile(`(?m)(^|\s+)# .*$`)
	for _, b := range blocks {
		out = append(out, b.info+"\n"+comment.ReplaceAllString(b.text, ""))
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    $ ") || strings.HasPrefix(line, `<a id="`) || strings.HasPrefix(line, "| `") {
			first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
			out = append(out, first)
		}
	}
	return out
}

// TestReferenceIsComplete: every key of a mapping's schema and every field of the
// body stand in both pages.
func TestReferenceIsComplete(t *testing.T) {
	raw, err := schemas.FS.ReadFile("mapping.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type section struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var schema struct {
		section
		Defs map[string]section `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	var want []string
	for prefix, s := range map[string]section{"": schema.section, "bill.": schema.Defs["bill"], "tables.NAME.": schema.Defs["table"], "rules[].": schema.Defs["rule"]} {
		for _, name := range sortedKeys(s.Properties) {
			want = append(want, "| `"+prefix+name+"` | ")
		}
	}
	s, err := bodyShape()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range s.order {
		want = append(want, "| `"+name+"` | "+s.members[name].title+" | ")
	}
	slices.Sort(want)
	for _, page := range []string{pageEnglish, pageChinese} {
		text, _ := readPage(t, page)
		for _, w := range want {
			if !strings.Contains(text, "\n"+w) {
				t.Errorf("%s has no row %s", page, w)
			}
		}
	}
}
