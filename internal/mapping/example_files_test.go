package mapping

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gongdan-bridge/schemas"
)

// TestExamplesOfDeploy runs the examples that integrators copy.
func TestExamplesOfDeploy(t *testing.T) {
	list, err := ReadExamples("../../deploy/mapping/examples")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 {
		t.Errorf("%d examples", len(list))
	}
	m := load(t, example, Options{})
	for _, e := range list {
		if r := e.Run(m); !r.Pass || r.String() != "ok    "+e.Name {
			t.Error(r)
		}
	}
}

// TestExampleDiff: what a failing example shows.
func TestExampleDiff(t *testing.T) {
	m := load(t, example, Options{})
	for _, tt := range []struct{ name, expect, want string }{
		{
			"fields", `expect: {rule: close, body: {wxztid: H, combofield: F, diff: 7, lat: ""}}`,
			`FAIL  x (../../deploy/mapping/examples/x.yaml)
  attmentInforsafter[0].name (处理后照片)
    + after-1.jpg
  attmentInforsafter[0].url (处理后照片)
    + https://wework.qpic.cn/wwpic/after-1.jpg
  attmentInforsafter[1].name (处理后照片)
    + after-2.png
  attmentInforsafter[1].url (处理后照片)
    + https://wework.qpic.cn/wwpic/after-2.png
  attmentInforspre[0].name (处理前照片)
    + before-1.jpg
  attmentInforspre[0].url (处理前照片)
    + https://wework.qpic.cn/wwpic/before-1.jpg
  clfaid (处理方案)
    + 1895123523051994117
  cljgid (处理结果)
    + 2028468841138471936
  clsmid (处理说明)
    + 更换密封圈，试机正常
  combofield (维修状态)
    - F
    + H
  diff (工时(小时))
    - 7
    + 6.19
  handleAddress (地址)
    + 苏州市工业园区星湖街1号
  handledeptid (部门)
    + 1697221606960547840
  handleedate (处理结束日期)
    + 2025-07-17 18:11:41
  handlemanid (处理人)
    + 1697009251337127937
  handlesdate (处理开始日期)
    + 2025-07-17 12:00:00
  labs[0].id (其他处理人)
    + 1697009251337127936
  orderNo (服务工单单据编码)
    + fwgs-20250717-00000001
  processid (完成进度)
    + 100
  wtyyid (问题原因)
    + 1895123256688528389`,
		},
		{"verdict", `expect: {ignored: true, rule: other}`, `(rule)
    - other
    + close
  (verdict)
    - ignored
    + mapped`},
		{"failure", `expect: {failure: {field: handlemanid, word: LiHua}}`, `(failure)
    - handlemanid LiHua
  (verdict)
    - failed
    + mapped`},
		{"bill", `expect: {ignored: true, bill: {orderNo: other}}`, `(bill)
    - other
    + fwgs-20250717-00000001`},
	} {
		e, err := parseExample("../../deploy/mapping/examples/x.yaml", []byte("event: {file: ../events/close.json}\n"+tt.expect), os.ReadFile)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Run(m).String(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestExampleSaysWhy: what cannot be filled is named, and not as a difference of
// every field.
func TestExampleSaysWhy(t *testing.T) {
	m := changed(t, `lookup("staff", callback.staff_id)`, `lookup("staff", "ZhaoLiu")`)
	e, err := parseExample("../../deploy/mapping/examples/x.yaml", []byte("event: {file: ../events/close.json}\nexpect: {body: {wxztid: H}}"), os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	want := `FAIL  x (../../deploy/mapping/examples/x.yaml)
  (verdict)
    - mapped
    + failed
  rule "close" cannot work out handlemanid (处理人): table staff has no row "ZhaoLiu"
    ${lookup("staff", "ZhaoLiu")}`
	if got := e.Run(m).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestExampleEnvelope: an event as it was recorded, envelope and all.
func TestExampleEnvelope(t *testing.T) {
	raw, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": "e9~enrich~0", "subject": "7", "time": "2025-07-17T10:11:41Z", "tenant": "acme", "origin": "poll",
		"data": enriched(t, "close"),
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := parseExample("x.json", []byte(`{"event": `+string(raw)+`, "bill": {"id": "77"}, "expect": {"ignored": true}}`), os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if m := e.event.Meta; m.ID != "e9~enrich~0" || m.Tenant != "acme" || m.Origin != "poll" || m.Time.IsZero() || e.event.Key != "7" || e.event.Bill.ID != "77" {
		t.Errorf("%+v", e.event)
	}
}

func TestExampleFaults(t *testing.T) {
	read := func(path string) ([]byte, error) {
		if path == "bad.json" {
			return []byte(`{"callback": `), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	for src, want := range map[string]string{
		"":                                  "the file is empty",
		"a: [":                              "x.yaml:2:1: not YAML",
		"event: {}\nexpct: {}":              `unknown key "expct"; expected "expect"`,
		"expect: {ignored: true}":           `lacks "event"`,
		"event: {}":                         `lacks "expect"`,
		"event: {}\nexpect: {}":             "expect holds 0 of body, ignored and failure",
		"event: {}\nexpect: {bdy: {}}":      `unknown key "bdy"; expected "body"`,
		"event: 3\nexpect: {ignored: true}": "event: json",
		"event: {file: no.json}\nexpect: {ignored: true}":  "event file no.json cannot be read: file does not exist",
		"event: {file: bad.json}\nexpect: {ignored: true}": "bad.json:2:1: not YAML",
		"event: {a: 1, a: 2}\nexpect: {ignored: true}":     `"a" stands twice`,
		"event: &a [*a]\nexpect: {ignored: true}":          "too many or too deeply nested values",
	} {
		if _, err := parseExample("x.yaml", []byte(src), read); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", src, err)
		}
	}
	dir := t.TempDir()
	if _, err := ReadExamples(dir); FaultsOf(err) == nil {
		t.Errorf("an empty directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("event: {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadExamples(dir); err == nil || !strings.HasSuffix(err.Error(), `a.yaml: lacks "expect"`) {
		t.Errorf("a faulty example: %v", err)
	}
	if _, err := ReadExamples(filepath.Join(dir, "none")); FaultsOf(err) == nil {
		t.Errorf("no such path: %v", err)
	}
}

// TestEditorSchema: the schema for editors accepts the example, names exactly
// the fields of handle-order, and refuses what it can see.
func TestEditorSchema(t *testing.T) {
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	check := func(src string) error {
		raw, err := yamlToJSON("x.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		return set.CheckJSON("mapping", raw)
	}
	if err := check(string(src)); err != nil {
		t.Errorf("the example: %v", err)
	}
	for _, slip := range [][2]string{
		{"late: skip", "late: skp"},
		{"wxztid: F", "wxztid: X"},
		{"handlemanid:", "handlemannid:"},
		{"{file: staff.csv}", "{fil: staff.csv}"},
		{"orderNo: ${", "orderNo: {"},
		{"version: 1", "version: 2"},
		{"wait: 30m", "wait: 30x"},
	} {
		if check(strings.Replace(string(src), slip[0], slip[1], 1)) == nil {
			t.Errorf("%s passes", slip[1])
		}
	}
	raw, err := schemas.FS.ReadFile("mapping.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	s, err := bodyShape()
	if err != nil {
		t.Fatal(err)
	}
	fields := doc.Defs["body"].Properties
	for _, name := range s.order {
		if fields[name] == nil {
			t.Errorf("the editor's schema lacks %s", name)
		}
	}
	if len(fields) != len(s.order)+1 { // and <<
		t.Errorf("%d fields for %d of handle-order", len(fields), len(s.order))
	}
}

// FuzzParse: whatever stands in a mapping file is faults or a mapping that
// answers for any event.
func FuzzParse(f *testing.F) {
	f.Add([]byte(ruleFile("clsmid: ${callback.content.text}", "")))
	f.Add([]byte("version: 1\nbill: {id: '${\"7\"}'}\nrules:\n- {name: a, when: true, body: &b {wxztid: H, labs: [{id: 1}]}}\n- {name: b, when: 1 > 2, body: *b}\n"))
	f.Add([]byte("version: 1\nrules: &r [*r]\n"))
	f.Add([]byte("rules:\n  - {name: a, when: true, body: {<<: [{wxztid: H}, 3]}}\n"))
	language, err := newLanguage(1000, deadline)
	if err != nil {
		f.Fatal(err)
	}
	in := input(f, "close")
	read := func(string) ([]byte, error) { return nil, errors.New("no files here") }
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse("m.yaml", b, read, Options{Language: language})
		if err != nil {
			if FaultsOf(err) == nil {
				t.Fatalf("not faults: %v", err)
			}
			return
		}
		if x, err := m.Match(in); err == nil && x != nil {
			_, _ = x.Bill()
			_, _ = x.Body(bill, billNo)
		}
		m.Uses()
	})
}
