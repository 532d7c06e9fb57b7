package expr

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"gongdan-bridge/internal/events"
)

// words are how a page calls CEL's types.
type words struct {
	page, text, whole, decimal, flag, time, texts, any string
	listOf                                             func(string) string
}

func pages() []words {
	return []words{
		{"../../../docs/mapping.md", "text", "int", "decimal", "bool", "time", "list of text", "any", func(s string) string { return "list of " + s }},
		{"../../../docs/mapping.zh.md", "文本", "整数", "小数", "布尔", "时间", "文本列表", "任意", func(s string) string { return s + " 列表" }},
	}
}

func (w words) of(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return w.text
	case types.IntKind:
		return w.whole
	case types.BoolKind:
		return w.flag
	case types.TimestampKind:
		return w.time
	case types.DynKind:
		return w.any
	case types.ListKind:
		if t.Parameters()[0].Kind() == types.StringKind {
			return w.texts
		}
		return w.listOf(w.of(t.Parameters()[0]))
	case types.StructKind:
		return "`" + strings.TrimPrefix(t.TypeName(), typePrefix) + "`"
	}
	return w.decimal
}

// TestReference: every variable, every member with its type, every helper with its
// arguments and every function of CEL stand in the reference, in both languages.
func TestReference(t *testing.T) {
	l := language(t)
	env := l.envs[place{events.WorkOrder, true}]
	letters := regexp.MustCompile(`^[a-zA-Z][a-zA-Z.]*$`)
	for _, w := range pages() {
		b, err := os.ReadFile(w.page)
		if err != nil {
			t.Fatal(err)
		}
		page := string(b)
		for name, o := range l.reg.byName {
			for _, m := range o.members {
				row := "\n| `" + strings.TrimPrefix(name, typePrefix) + "." + m + "` | " + w.of(o.fields[m].Type) + " |"
				if !strings.Contains(page, row) {
					t.Errorf("%s has no row %s", w.page, row[1:])
				}
			}
		}
		for _, v := range []string{varCallback, varWorkOrder, varOpportunity, varFlow, varEvent, varFetchedAt, varBill, varRaw} {
			if !strings.Contains(page, "\n| `"+v+"` | ") {
				t.Errorf("%s has no row of variable %s", w.page, v)
			}
		}
		for _, h := range helpers() {
			for form := range strings.SplitSeq(h[1], " or ") {
				if !strings.Contains(page, "`"+form+"`") {
					t.Errorf("%s has no %s", w.page, form)
				}
			}
		}
		for name := range env.cel.Functions() {
			if letters.MatchString(name) && name != "in" && !strings.Contains(page, "`"+name) {
				t.Errorf("%s has no function %s", w.page, name)
			}
		}
	}
	for _, h := range helpers() {
		if env.cel.Functions()[h[0]] == nil {
			t.Errorf("%s is listed and not declared", h[0])
		}
	}
	if n := len(l.reg.byName); n < 14 {
		t.Errorf("%d objects are declared: the test proves nothing", n)
	}
}
