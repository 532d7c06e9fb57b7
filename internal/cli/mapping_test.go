package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/tables"
)

// withStaffTable makes the mapping look the handler up in an empty table.
func (in *installation) withStaffTable() {
	in.t.Helper()
	file := in.cfg.Tenants[0].Mapping
	b, err := os.ReadFile(file)
	if err != nil {
		in.t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(b), `handlemanid: "`)
	_, rest, _ = strings.Cut(rest, `"`)
	text := strings.Replace(before, "rules:", "tables: {staff: {columns: [emp, note]}}\nrules:", 1) +
		`handlemanid: '${lookup("staff", callback.staff_id)}'` + rest
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// result is what a table command says as JSON.
type result struct {
	Tenant, Table string
	Changes       []struct {
		Word          string
		Before, After *struct{ Columns, Values []string }
	}
	Repairs []struct {
		Letter                     uint64
		Order, Word, Rule, Command string
	}
}

func (in *installation) json(into any, args ...string) {
	in.t.Helper()
	out, err := in.dispatcher(args...)
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	if err != nil {
		in.t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// TestTableCommands completes a table while the dispatcher runs, over an order
// that is held behind its letter.
func TestTableCommands(t *testing.T) {
	in := install(t)
	in.withStaffTable()
	in.cfg.Tenants[0].HoldAfterLetter = true
	in.start(app.Run.Ingest)
	in.start(app.Run.Dispatcher)
	number := in.closed("fwgs-1")
	in.until("a letter", func() bool { return len(in.letters()) == 1 })
	letter := in.letters()[0]

	file := filepath.Join(t.TempDir(), "staff.csv")
	if err := os.WriteFile(file, []byte("id,emp\nLiMei,0123\nLiYang,1697009251337127936\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got result
	in.json(&got, "mapping", "table", "import", "staff", file, "--json", "--who", "wang")
	if len(got.Changes) != 2 || got.Tenant != "acme" || got.Table != "staff" || len(got.Repairs) != 1 {
		t.Fatalf("import: %+v", got)
	}
	r := got.Repairs[0]
	if r.Letter != letter.Number || r.Order != number || r.Word != "LiYang" || r.Rule != "close" {
		t.Errorf("repair %+v of letter %d", r, letter.Number)
	}
	if letter.Waiting != strings.Contains(r.Command, "dead settle") || !letter.Waiting {
		t.Errorf("an order that waits (%v) is to go on by %q", letter.Waiting, r.Command)
	}
	in.says("dead settle 1 try-again --reason complete", "settled 1")
	in.ended(number, events.Applied)

	got = result{}
	in.json(&got, "mapping", "table", "set", "staff", "LiMei", "note=on leave", "--json")
	want := [][]string{{"0123"}, {"0123", "on leave"}}
	if c := got.Changes; len(c) != 1 || cmp.Diff(want, [][]string{c[0].Before.Values, c[0].After.Values}) != "" || len(got.Repairs) != 0 {
		t.Errorf("set: %+v", got)
	}
	in.says("mapping table set staff LiMei emp=0123", "says so already; nothing was changed")
	in.says("mapping table list", "LiMei", "emp=0123 note=on leave")
	in.says("mapping table list staff --json", `"word":"LiMei"`, `"tenant":"acme"`)
	in.says("mapping table export staff", "word,emp,note LiMei,0123,on leave LiYang,1697009251337127936,")
	in.says("mapping table export staff --json", `{"word":"LiMei","row":{"emp":"0123","note":"on leave"}}`)
	in.says("mapping table unset staff LiMei", "→ nothing", "nothing else answers to this word", "no open dead letter is repaired by this")
	in.refuses("mapping table unset staff LiMei", "no such row")
	in.refuses("mapping table set stafff LiMei emp=1", `declares no table "stafff"; expected "staff"`)
	in.refuses("mapping table list --tenant nobody", "tenant nobody is not configured")
	if out, err := in.dispatcher("mapping", "table", "set", "staff", "LiMei", "empp=1"); cli.ExitStatus(err) != 2 {
		t.Errorf("a column that is not there: %v\n%s", err, out)
	}
	in.says("mapping preview --order "+number, number+" close mapped by rule close", "handlemanid (处理人): 1697009251337127936", "1 events: 1 mapped")
	in.says("mapping preview --until 2026-01-01 --since 2025-01-01", "nothing is recorded since 2025-01-01 00:00:00 and before 2026-01-01 00:00:00", "0 events")
	in.says("mapping suggest staff", "the tables lack nothing")
	in.says("mapping suggest staff --staff-list", "# table staff", `"LiMei"`)
}

// TestTableSlips: what an operator mistypes is refused and named, and nothing of it
// is kept.
func TestTableSlips(t *testing.T) {
	in := install(t)
	in.ends(2, "mapping table set", "(see dispatcher mapping table set --help)")
	in.withStaffTable()
	in.says("mapping table set staff LiMei emp=0123", "nothing → emp=0123 note=")
	for command, want := range map[string]string{
		"mapping table set staff LiMei emp=1 emp=2":      "column emp is given twice",
		"mapping table set staff LiMei emp=1.69701E+18":  "a spreadsheet has rounded; expected all digits",
		"mapping table set staff LiMei emp＝1":            `expects "=" in half width (半角)`,
		"mapping preview --since 2026-11-22 --until 90d": "is not after --since",
	} {
		in.ends(2, command, want)
	}
	for command, want := range map[string]string{
		"mapping table list stafff":             `no mapping declares a table "stafff"; expected "staff"`,
		"mapping table list staff --tenant acm": `tenant acm is not configured; expected "acme"`,
		"mapping table unset staff LiMie":       `no such row; expected "LiMei"`,
		"mapping table unset stafff LiMei":      `declares no table "stafff"; expected "staff"`,
	} {
		in.refuses(command, want)
	}
	in.says("mapping table list staff", "emp=0123 note=")
}

// TestImportOfWords: a file of words and texts fills a table's only column.
func TestImportOfWords(t *testing.T) {
	in := install(t)
	in.withStaffTable()
	file := in.cfg.Tenants[0].Mapping
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	words := filepath.Join(t.TempDir(), "words.yaml")
	for path, text := range map[string]string{file: strings.Replace(string(text), "[emp, note]", "[emp]", 1), words: "LiMei: 0123\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in.says("mapping table import staff "+words, "row LiMei: nothing → emp=0123")
	in.ends(2, "mapping table set staff LiMei emq=1", "give column=value")
	in.says("mapping table set staff LiMei 0124", "emp=0123 → emp=0124")
}

// TestPreviewOfTheRemedy: where the mapping in use has faults, the one that mends
// them can be tried all the same.
func TestPreviewOfTheRemedy(t *testing.T) {
	in := install(t)
	file := in.cfg.Tenants[0].Mapping
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	remedy := filepath.Join(t.TempDir(), "new.yaml")
	for path, text := range map[string]string{remedy: string(good), file: "version: 1\nrule: []\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in.refuses("mapping preview", `unknown key "rule"`)
	in.says("mapping preview --file "+remedy, "has faults, there is nothing to show differences from", "nothing was sent")
}

// TestUnsetRepairs: a row that an operator got wrong hides the mapping's own; taking
// it away names the letters that this repairs, and what answers now.
func TestUnsetRepairs(t *testing.T) {
	in := install(t)
	in.withStaffTable()
	file := in.cfg.Tenants[0].Mapping
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(text), "{columns: [emp, note]}", "{rows: {LiYang: {emp: '1697009251337127936', note: ''}}}", 1)
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := in.dispatcher("mapping", "table", "set", "staff", "LiYang", "emp=nobody"); err == nil || !strings.Contains(err.Error(), `emp of row "LiYang" cannot be "nobody"`) {
		t.Errorf("an id that is none: %v", err)
	}
	wrong := tables.Write{Word: "LiYang", Cells: tables.Cells{Columns: []string{"emp", "note"}, Values: []string{"nobody", ""}}}
	if _, err := tables.NewStore(in.bus, time.Now).Set(t.Context(), "acme", "staff", wrong, tables.Act{Who: "li"}); err != nil {
		t.Fatal(err)
	}
	in.start(app.Run.Ingest)
	in.start(app.Run.Dispatcher)
	number := in.closed("fwgs-1")
	in.until("a letter", func() bool { return len(in.letters()) == 1 })
	in.says("mapping table set staff LiYang note=gone", "emp=nobody note= → emp=nobody note=gone",
		"dead letter 1, order "+number+", cannot be done yet: ", `handlemanid (处理人) cannot be "nobody"`, "no open dead letter is repaired")
	in.says("mapping table unset staff LiYang", "emp=nobody", "→ nothing", "the mapping's own table answers now: emp=1697009251337127936",
		"1 open dead letter(s) can be done now", "dispatcher dead replay 1", number)
	in.says("dead replay 1")
	in.ended(number, events.Applied)
	in.says("mapping table set staff LiYang note=back", "nothing → emp= note=back",
		"with the mapping's own row look-ups find: emp=1697009251337127936 note=back")
}

// TestBrokenRows: an entry that cannot be read is named, and hides nothing else.
func TestBrokenRows(t *testing.T) {
	in := install(t)
	in.withStaffTable()
	in.says("mapping table set staff LiMei emp=0123")
	const strange = "acme.staff.LiYang" // such as nobody here writes
	if _, err := in.bus.Bucket(bus.Tables).Put(t.Context(), strange, []byte(`{"emp":"geheim"}`)); err != nil {
		t.Fatal(err)
	}
	for command, row := range map[string]string{
		"mapping table list":                 "emp=0123",
		"mapping table list --json":          `"values":["0123",""]`,
		"mapping table export staff":         "LiMei,0123,",
		"mapping table export staff --json":  `{"emp":"0123","note":""}`,
		"mapping table export staff --added": "LiMei,0123,",
	} {
		if out := in.refuses(command, row, strange, "not readable as rows of a table"); strings.Contains(out, "geheim") {
			t.Errorf("%s shows what is in the broken entry:\n%s", command, out)
		}
	}
	in.says("mapping table set staff LiYang emp=1", "nothing → emp=1")
}

// TestCheckOneFile needs no configuration: CI has none.
func TestCheckOneFile(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\nrule: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"../../deploy/mapping/example.mapping.yaml": "1 mapping(s), no faults", bad: `unknown key "rule"; expected "rules"`} {
		var out strings.Builder
		err := cli.DispatcherMain(t.Context(), cli.Program{
			Args: []string{"mapping", "check", file}, Env: func(string) (string, bool) { return "", false }, Stdout: &out, Stderr: &out,
		})
		if got := out.String() + fmt.Sprint(err); !strings.Contains(got, want) || (err != nil) != (file == bad) {
			t.Errorf("%s: %s", file, got)
		}
		if err == nil {
			continue
		}
		if got := cli.Complaint("dispatcher", err); !strings.HasPrefix(got, bad+":") || !strings.HasSuffix(got, "\ndispatcher: 2 faults") {
			t.Errorf("not as editors read it:\n%s", got)
		}
		if got := cli.Complaint("dispatcher", fmt.Errorf("1 row was changed: %w", err)); !strings.HasPrefix(got, "dispatcher: 1 row was changed: ") {
			t.Errorf("more than faults:\n%s", got)
		}
	}
}
