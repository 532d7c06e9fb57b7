package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

var builder harness.Builder

func TestMain(m *testing.M) { os.Exit(builder.Main(m)) }

func programs(t *testing.T) harness.Programs {
	t.Helper()
	p, err := builder.Programs()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start starts one of the two programs, until the test ends.
func start(t *testing.T, name, program string, admin int, config string) *harness.Process {
	t.Helper()
	p := harness.NewProcess(t.TempDir(), name, program, fmt.Sprintf("http://127.0.0.1:%d", admin), "-c", config)
	t.Cleanup(func() {
		if err := p.Discard(); err != nil {
			t.Error(err)
		}
		if log, err := p.Log(); t.Failed() {
			t.Logf("%s (%v):\n%s", name, err, log)
		}
	})
	if err := p.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	return p
}

// subcommand runs one and returns what it prints and its exit status.
func subcommand(t *testing.T, program string, args ...string) (string, int) {
	t.Helper()
	r, err := harness.Run(within(t), "", os.Environ(), program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r.Stdout + r.Stderr, r.Status
}

// TestTheProgramsThemselves tells the story to the two real programs, as child
// processes, and then works as an operator with their subcommands.
func TestTheProgramsThemselves(t *testing.T) {
	var story bytes.Buffer
	w := &world{apart: true, o: Options{Stdout: &story, Log: io.Discard}, say: newTeller(&story), failed: make(chan error, 2)}
	if err := w.simulators(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	ingest := start(t, "ingest", programs(t).Ingest, w.ports.ingestAdmin, w.cfgPath)
	dispatcher := start(t, "dispatcher", programs(t).Dispatcher, w.ports.dispatcherAdmin, w.cfgPath)
	if err := w.tell(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, story.String())
	}
	w.operate(t, programs(t).Dispatcher, dispatcher)
	second, status := subcommand(t, programs(t).Ingest, "-c", w.cfgPath)
	if status != 1 || strings.Contains(second, "goroutine") {
		t.Errorf("a second ingest on one store: status %d\n%s", status, second)
	}
	if err := ingest.Stop(within(t)); err != nil {
		t.Error(err)
	}
}

// operator works with the subcommands of the real program.
type operatorAt struct {
	*world
	t          *testing.T
	bin        string
	dispatcher *harness.Process
}

// run wants a subcommand to end with status 0 and to say every word of says.
func (o operatorAt) run(says []string, args ...string) string {
	o.t.Helper()
	return o.ends(0, says, args...)
}

func (o operatorAt) ends(want int, says []string, args ...string) string {
	o.t.Helper()
	out, status := subcommand(o.t, o.bin, append(args, "-c", o.cfgPath)...)
	if status != want {
		o.t.Fatalf("%v: status %d\n%s", args, status, out)
	}
	for _, s := range says {
		if !strings.Contains(out, s) {
			o.t.Errorf("%v does not say %q:\n%s", args, s, out)
		}
	}
	return out
}

func (o operatorAt) until(what string, ok func() bool) {
	o.t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			o.t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// operate mends a letter with the commands alone, tries changed mappings, and
// changes the one in force; the dispatcher runs on.
func (w *world) operate(t *testing.T, bin string, dispatcher *harness.Process) {
	t.Helper()
	o := operatorAt{w, t, bin, dispatcher}
	number, bill := o.letter()
	o.run([]string{Unmapped, "handlemanid", "1 events: 0 mapped", "nothing was sent"}, "mapping", "preview", "--dead")
	o.run([]string{Unmapped, "黄涛", "table staff"}, "mapping", "suggest", "staff", "--staff-list")
	o.run([]string{"the tables lack nothing"}, "mapping", "suggest", "options")
	o.mend(number, bill)
	o.moveTable()
	o.change()
	if err := dispatcher.Stop(within(t)); err != nil {
		t.Error(err)
	}
	if n := len(w.kingdee.Records(bill)); n != 1 {
		t.Errorf("%d records after one replay", n)
	}
}

// letter takes the story's row away, closes an order, and gives the number of the
// letter that comes of it.
func (o operatorAt) letter() (number, bill string) {
	o.t.Helper()
	o.run([]string{Unmapped, operator}, "mapping", "table", "list")
	o.run([]string{"→ nothing"}, "mapping", "table", "unset", "staff", Unmapped, "--who", "wang", "--reason", "left")
	o.ends(1, []string{"no such row"}, "mapping", "table", "unset", "staff", Unmapped)
	fifth := &order{name: "工单五", bill: "fwgs-20250605-00000005", creator: "OuyangXue", handler: Unmapped}
	if _, err := o.create(o.t.Context(), []*order{fifth}); err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.send(o.t.Context(), o.act(o.weiban.Close, fifth.number, fakeweiban.Act{Staff: Unmapped, Text: "已清理"})); err != nil {
		o.t.Fatal(err)
	}
	var l struct {
		Number json.Number `json:"number"`
		Word   string      `json:"word"`
	}
	o.until("a letter", func() bool {
		out := o.run(nil, "dead", "list", "--json")
		return json.Unmarshal([]byte(out), &l) == nil && l.Word == Unmapped
	})
	return l.Number.String(), fifth.bill
}

// mend does what the commands say.
func (o operatorAt) mend(number, bill string) {
	o.t.Helper()
	row := mendingRow()
	o.ends(1, []string{"declares no table \"stuff\"; expected \"staff\""}, "mapping", "table", "set", "stuff", Unmapped, "emp=1")
	o.ends(2, []string{`give column=value; table staff expects "emp", "dept" or "name"`}, "mapping", "table", "set", "staff", Unmapped, "1")
	out := o.run([]string{"no open dead letter is repaired"}, "mapping", "table", "set", "staff", Unmapped, "emp="+row["emp"], "--who", "wang")
	if !strings.Contains(out, "nothing → emp="+row["emp"]) {
		o.t.Errorf("table set:\n%s", out)
	}
	out = o.run([]string{"1 open dead letter(s) can be done now", "rule close"},
		"mapping", "table", "set", "staff", Unmapped, "dept="+row["dept"], "name="+row["name"], "--who", "wang")
	_, command, _ := strings.Cut(out, "dispatcher dead replay ")
	command, _, _ = strings.Cut(command, " #")
	if want := number + " -c " + o.cfgPath; strings.TrimSpace(command) != want {
		o.t.Fatalf("the command that replays is %q, want %q", command, want)
	}
	o.run(nil, "dead", "replay", number)
	o.until("the replayed letter's record", func() bool { return len(o.kingdee.Records(bill)) > 0 })
	o.run([]string{"no dead letters"}, "dead", "list")
}

// moveTable takes a table out and in again: nothing changes.
func (o operatorAt) moveTable() {
	o.t.Helper()
	for _, format := range []string{"csv", "yaml"} {
		out := o.run([]string{Unmapped, "LiYang"}, "mapping", "table", "export", "staff", "--format", format)
		if n := strings.Count(out, "\n"); n < 10 {
			o.t.Errorf("%d lines in %s:\n%s", n, format, out)
		}
		added := o.run([]string{Unmapped}, "mapping", "table", "export", "staff", "--added", "--format", format)
		file := filepath.Join(o.t.TempDir(), "staff."+format)
		if err := os.WriteFile(file, []byte(added), 0o600); err != nil {
			o.t.Fatal(err)
		}
		o.run([]string{"says so already; nothing was changed"}, "mapping", "table", "import", "staff", file)
	}
	o.ends(2, []string{"of no known kind"}, "mapping", "table", "import", "staff", "staff.xls")
}

// change tries a changed mapping on what was recorded, breaks the file in force,
// and puts the changed one in its place.
func (o operatorAt) change() {
	o.t.Helper()
	file := o.cfg.Tenants[0].Mapping
	own, err := os.ReadFile(file)
	if err != nil {
		o.t.Fatal(err)
	}
	changed := bytes.Replace(own, []byte(`processid: "100"`), []byte(`processid: "99"`), 1)
	next := filepath.Join(filepath.Dir(file), "next.yaml")
	if err := os.WriteFile(next, changed, 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.run([]string{"processid", "- 100", "+ 99", "against the mapping in use", "5 changed (0 repaired, 0 broken, 0 no longer sent, 0 newly sent)"},
		"mapping", "preview", "--file", next, "--since", "1h")
	lines := strings.Split(strings.TrimSpace(o.run(nil, "mapping", "preview", "--json")), "\n")
	var end struct {
		Summary mapping.Summary `json:"summary"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Summary.Failed != 0 || end.Summary.Events != len(lines)-1 {
		o.t.Errorf("preview as JSON ends with %+v, %v", end.Summary, err)
	}
	for _, step := range []struct {
		text []byte
		says string
	}{
		{bytes.Replace(own, []byte("clsmid:"), []byte("clsmd:"), 1), `expected \"clsmid\"`},
		{changed, "mapping changed"},
	} {
		if err := os.WriteFile(file, step.text, 0o600); err != nil {
			o.t.Fatal(err)
		}
		o.until("the log says "+step.says, func() bool { return logged(o.t, o.dispatcher, step.says) })
	}
}

func logged(t *testing.T, p *harness.Process, words string) bool {
	t.Helper()
	text, err := p.Log()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(text, []byte(words))
}
