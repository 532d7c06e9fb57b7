package operate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/tables"
)

var staff = operate.TableRequest{Tenant: "acme", Table: "staff"}

// A row that is added repairs the letters that lacked it, and taking it away repairs
// none.
func TestRowRepairs(t *testing.T) {
	p := newPlace(t)
	p.letter(1, events.Unmapped, "LiMei")
	p.letter(2, events.Unmapped, "LiHua")
	set := operate.RowRequest{Decision: li, TableRequest: staff, Word: "LiMei", Cells: map[string]string{"emp": "2"}}
	done, err := p.SetRow(t.Context(), set, quiet)
	if err != nil || len(done.Changes) != 1 || len(done.Repairs) != 1 || done.Repairs[0].Order != "1" || done.Repairs[0].Rule != "close" {
		t.Fatalf("%+v, %v", done, err)
	}
	if done, err = p.SetRow(t.Context(), set, quiet); err != nil || len(done.Changes) > 0 || done.Removed() {
		t.Errorf("the same again: %+v, %v", done, err)
	}
	set.Cells = map[string]string{"note": "new"} // emp keeps what it says
	if done, err = p.SetRow(t.Context(), set, quiet); err != nil || done.Changes[0].After.String() != "emp=2 note=new" {
		t.Errorf("one cell: %+v, %v", done, err)
	}
	if done, err = p.UnsetRow(t.Context(), set, quiet); err != nil || !done.Removed() || done.Own != nil || len(done.Repairs) > 0 {
		t.Errorf("away: %+v, %v", done, err)
	}
	if len(done.Remaining) != 1 || done.Remaining[0].Letter != 1 {
		t.Errorf("what cannot be done now: %+v", done.Remaining)
	}
	if _, err = p.UnsetRow(t.Context(), set, quiet); !errors.Is(err, tables.ErrNoRow) {
		t.Error(err)
	}
}

// An added row lies over the mapping's own, cell by cell.
func TestRowOverTheMappings(t *testing.T) {
	p := newPlace(t)
	r := operate.RowRequest{Decision: li, TableRequest: staff, Word: "LiYang", Cells: map[string]string{"emp": "9"}}
	done, err := p.SetRow(t.Context(), r, quiet)
	if err != nil || done.Seen == nil || done.Seen.String() != "emp=9 note=here" {
		t.Fatalf("%+v, %v", done, err)
	}
	all, err := p.ExportRows(t.Context(), staff, false)
	if err != nil || len(all.Rows) != 1 || all.Rows[0].Cells.String() != "emp=9 note=here" {
		t.Errorf("%+v, %v", all, err)
	}
	if added, err := p.ExportRows(t.Context(), staff, true); err != nil || len(added.Rows) != 1 || added.Rows[0].Cells.String() != "emp=9 note=" {
		t.Errorf("%+v, %v", added, err)
	}
	if done, err = p.UnsetRow(t.Context(), r, quiet); err != nil || done.Own == nil || done.Own.String() != "emp=1 note=here" {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestRowSlips(t *testing.T) {
	p := newPlace(t)
	set := func(cells map[string]string) error {
		_, err := p.SetRow(t.Context(), operate.RowRequest{Decision: li, TableRequest: staff, Word: "LiMei", Cells: cells}, quiet)
		return err
	}
	wants(t, set(map[string]string{"emq": "1"}), `expected "emp"`)
	wants(t, set(map[string]string{"emp": "1.69701E+18"}), "a spreadsheet has rounded")
	wants(t, set(map[string]string{"emp": "'1697"}), `emp of row "LiMei" cannot be "'1697"`)
	_, err := p.ImportRows(t.Context(), operate.ImportRequest{Decision: li, TableRequest: staff, File: "x.csv", Text: []byte("word,emp\nLiMei,#N/A\n")}, quiet)
	if err == nil || !strings.Contains(err.Error(), `x.csv:2: emp of row "LiMei" cannot be "#N/A"`) {
		t.Error(err)
	}
	_, err = p.ImportRows(t.Context(), operate.ImportRequest{Decision: li, TableRequest: staff, File: "staff.xls"}, quiet)
	wants(t, err, "expected .csv, .yaml or .yml")
	if list, err := p.Rows(t.Context(), staff); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestImportRows(t *testing.T) {
	p := newPlace(t)
	p.letter(1, events.Unmapped, "LiMei")
	r := operate.ImportRequest{Decision: li, TableRequest: staff, File: "more.CSV", Text: []byte("word,emp\nLiMei,2\nLiHua,3\n")}
	done, err := p.ImportRows(t.Context(), r, quiet)
	if err != nil || len(done.Changes) != 2 || len(done.Repairs) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	list, err := p.Rows(t.Context(), operate.TableRequest{})
	if err != nil || len(list) != 2 || list[0].Tenant != "acme" || list[0].Who != li.Who {
		t.Errorf("%+v, %v", list, err)
	}
}

// What the mapping's file says already is not imported: it would hide the file's next
// edit. A row that hides something says what.
func TestImportOfWhatTheFileSays(t *testing.T) {
	p := newPlace(t)
	r := operate.ImportRequest{Decision: li, TableRequest: staff, File: "more.csv", Text: []byte("word,emp\nLiYang,1\nLiMei,2\n")}
	done, err := p.ImportRows(t.Context(), r, quiet)
	if err != nil || len(done.Changes) != 1 || done.Changes[0].Word != "LiMei" {
		t.Fatalf("%+v, %v", done, err)
	}
	set := operate.RowRequest{Decision: li, TableRequest: staff, Word: "LiYang", Cells: map[string]string{"emp": "9"}}
	if _, err := p.SetRow(t.Context(), set, quiet); err != nil {
		t.Fatal(err)
	}
	list, err := p.Rows(t.Context(), staff)
	if err != nil || len(list) != 2 || list[0].Hides != nil || list[1].Hides == nil || list[1].Hides.String() != "emp=1" {
		t.Errorf("%+v, %v", list, err)
	}
	if done, err = p.ImportRows(t.Context(), r, quiet); err != nil || len(done.Changes) != 1 || done.Changes[0].Word != "LiYang" {
		t.Errorf("over an added row: %+v, %v", done, err)
	}
}

// Letters can be tried with the mapping, and nothing is sent.
func TestPreviewOfLetters(t *testing.T) {
	p := newPlace(t)
	p.letter(1, events.Unmapped, "LiMei")
	p.letter(2, events.Unmapped, "LiYang")
	var verdicts []mapping.Verdict
	r := operate.PreviewRequest{Recorded: operate.Recorded{Tenant: "acme"}, Dead: true}
	got, err := p.Preview(t.Context(), r, quiet, func(e mapping.Entry) error {
		verdicts = append(verdicts, e.Verdict)
		return nil
	})
	if err != nil || got.Summary.Events != 2 || !slices.Equal(verdicts, []mapping.Verdict{mapping.Failed, mapping.Mapped}) {
		t.Errorf("%+v, %v, %v", got, verdicts, err)
	}
	if a := p.audited(); len(a) > 0 {
		t.Errorf("audited %v", a)
	}
}
