package mapping

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/table"
)

const (
	example = "../../deploy/mapping/example.mapping.yaml"
	billNo  = "fwgs-20250717-00000001"
	bill    = "2230413444614467584"
)

// input is one of the example events.
func input(tb testing.TB, name string) *Input {
	tb.Helper()
	in, err := NewInput(Meta{ID: name, Tenant: "acme", Noun: events.WorkOrder, Origin: "callback"}, enriched(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

func enriched(tb testing.TB, name string) events.Enriched {
	tb.Helper()
	b, err := os.ReadFile("../../deploy/mapping/events/" + name + ".json")
	if err != nil {
		tb.Fatal(err)
	}
	var data events.Enriched
	if err := json.Unmarshal(b, &data); err != nil {
		tb.Fatal(err)
	}
	return data
}

func load(tb testing.TB, path string, o Options) *Mapping {
	tb.Helper()
	m, err := Load(path, o)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return m
}

// parse makes a mapping of one rule, with these lines added to its body and
// these before the rules.
func parse(tb testing.TB, body, top string, o Options) *Mapping {
	tb.Helper()
	m, err := Parse("m.yaml", []byte(ruleFile(body, top)), os.ReadFile, o)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return m
}

func ruleFile(body, top string) string {
	src := `version: 1
bill: {orderNo: '${component("金蝶工单号")}', wait: 30m}
tables:
  staff: {rows: {LiHua: {emp: 1, dept: 2}, LiYang: {emp: "", dept: 4}}}
  extra: {columns: [id]}
` + top + `
rules:
  - name: close
    when: callback.status == "close"
    late: skip
    body: {`
	base := map[string]string{
		"handlesdate": "2025-07-17 08:11:41", "handleedate": "2025-07-17 18:11:41", "handlemanid": "11", "handledeptid": "12",
		"wxztid": "H", "processid": "100", "wtyyid": "13", "clfaid": "14", "cljgid": "15",
	}
	for line := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			base[name] = value
		}
	}
	for _, name := range sortedKeys(base) {
		value := base[name]
		if strings.HasPrefix(value, "${") {
			value = "'" + value + "'"
		}
		src += name + ": " + value + ", "
	}
	return src + "}\n"
}

// try maps the example close.
func try(tb testing.TB, m *Mapping) (kingdee.HandleOrder, error) {
	tb.Helper()
	x, err := m.Match(input(tb, "close"))
	if err != nil {
		return kingdee.HandleOrder{}, err
	}
	if x == nil {
		tb.Fatal("no rule")
	}
	return x.Body(bill, billNo)
}

type overlay struct {
	mu   sync.Mutex
	rows map[string]table.Row
}

func (o *overlay) set(name, key string, r table.Row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows[name+"/"+key] = r
}

func (o *overlay) Lookup(name, key string) (table.Row, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.rows[name+"/"+key]
	return r, ok
}

// textRow is a row of one text.
func textRow(text string) table.Row {
	return table.NewRow([]string{table.TextColumn}, []string{text})
}
