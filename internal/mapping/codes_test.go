package mapping

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/mapping/table"
)

const codesMapping = `version: 1
bill: {orderNo: '${component("a")}'}
tables: {staff: {columns: [emp, name]}, note: {rows: {a: x}}}
rules:
  - name: close
    when: callback.event == "work_order_changes" || callback.status in ["close", "closd"] || "opened" != event.status
    body: {handlesdate: 2025-07-17 08:11:41, handleedate: 2025-07-17 18:11:41, handlemanid: '${lookup("staff", "x")}', handledeptid: "1",
      wxztid: H, processid: "100", wtyyid: '${lookupOr("staff", "x", "")}', clfaid: "1", cljgid: "1", clsmid: '${lookup("note", "a")}'}
`

// TestWordsThatWeibanNeverSends are warnings: the mapping is sound, and the rule may
// never be taken.
func TestWordsThatWeibanNeverSends(t *testing.T) {
	m, err := Parse("m.yaml", []byte(codesMapping), os.ReadFile, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range m.Warnings() {
		text, _, _ := strings.Cut(w.String(), "; in")
		got = append(got, text)
	}
	want := []string{
		`m.yaml:6:29: rules.close.when: no page of Weiban has the event "work_order_changes"; expected "work_order_change"`,
		`m.yaml:6:82: rules.close.when: no page of Weiban has the status "closd"; expected "close"`,
		`m.yaml:6:94: rules.close.when: no page of Weiban has the status "opened"; expected "create", "switch", "close", "closed", "reopen" or "reply"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCheckRows: rows that are added are held to what the file's rows are held to.
func TestCheckRows(t *testing.T) {
	m, err := Parse("m.yaml", []byte(codesMapping), os.ReadFile, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for src, want := range map[string]string{
		"id,emp,name\na,1697009251337127936,x\n":                         "",
		"id,emp,name\na,1.697E18,1.697E18\n":                             "fault",
		"id,name,emp\na,x,１２\n":                                          "fault",
		"id,emp\na,1697009251337120000\n":                                "warning",
		"id,emp\na,1697009251337120000\nb,1697009251337130000\n":         "faultfault",
		"id,emp\na,1697009251337120000\nb,1697009251337127936\nc,0120\n": "warning",
	} {
		rows, err := table.ReadCSV("x.csv", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		faults, warnings := m.CheckRows("staff", "x.csv", rows)
		if got := strings.Repeat("fault", len(faults)) + strings.Repeat("warning", len(warnings)); got != want {
			t.Errorf("%q: %s, want %s: %v %v", src, got, want, faults, warnings)
		}
		for _, f := range append(faults, warnings...) {
			if f.Line < 2 || f.File != "x.csv" {
				t.Errorf("%q: %s has no place", src, f)
			}
		}
	}
}
