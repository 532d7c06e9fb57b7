package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/sandbox/fakeweiban"
)

// child is one of the two programs as a process of its own.
type child struct {
	cmd   *exec.Cmd
	log   safeBuffer
	ended chan error
}

func startChild(t *testing.T, bin, cfg string) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(context.Background(), bin, "-c", cfg), ended: make(chan error, 1)}
	c.cmd.Stderr, c.cmd.Stdout = &c.log, &c.log
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			t.Logf("killed: %v", <-c.ended)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(bin), c.log.b.String())
		}
	})
	return c
}

// stop asks the process to end and wants status 0.
func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-c.ended:
		if err != nil {
			t.Errorf("%s ended with %v after SIGTERM", c.cmd.Path, err)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("%s did not end within 20 s of SIGTERM", c.cmd.Path)
	}
}

// resident is the process's resident memory in MB.
func (c *child) resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func ready(t *testing.T, port int) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", port), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-deadline:
			t.Fatalf("port %d is not ready after 20 s: %v", port, err)
		case <-tick.C:
		}
	}
}

// subcommand runs one and returns what it prints and its exit status.
func subcommand(t *testing.T, bin string, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestTheProgramsThemselves tells the story to the two real programs, as child
// processes, and then works as an operator with their subcommands.
func TestTheProgramsThemselves(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "gongdan-bridge/cmd/ingest", "gongdan-bridge/cmd/dispatcher")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var story safeBuffer
	w := &world{apart: true, o: Options{Stdout: &story, Log: io.Discard}, say: newTeller(&story), failed: make(chan error, 2)}
	if err := w.simulators(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	ingest := startChild(t, filepath.Join(bin, "ingest"), w.cfgPath)
	ready(t, w.ports.ingestAdmin)
	dispatcher := startChild(t, filepath.Join(bin, "dispatcher"), w.cfgPath)
	ready(t, w.ports.dispatcherAdmin)
	if err := w.tell(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, story.b.String())
	}
	for _, c := range []*child{ingest, dispatcher} {
		mb := c.resident(t)
		t.Logf("%s: %d MB resident", filepath.Base(c.cmd.Path), mb)
		if mb >= 60 {
			t.Errorf("%s has %d MB resident, want under 60", filepath.Base(c.cmd.Path), mb)
		}
	}
	w.operate(t, filepath.Join(bin, "dispatcher"), dispatcher)
	second, status := subcommand(t, filepath.Join(bin, "ingest"), "-c", w.cfgPath)
	if status != 1 || strings.Contains(second, "goroutine") {
		t.Errorf("a second ingest on one store: status %d\n%s", status, second)
	}
	ingest.stop(t)
}

// operator works with the subcommands of the real program.
type operatorAt struct {
	*world
	t          *testing.T
	bin        string
	dispatcher *child
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
	deadline, tick := time.After(20*time.Second), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			o.t.Fatalf("not within 20 s: %s", what)
		case <-tick.C:
		}
	}
}

// operate mends a letter with the commands alone, tries changed mappings, and
// changes the one in force; the dispatcher runs on.
func (w *world) operate(t *testing.T, bin string, dispatcher *child) {
	t.Helper()
	o := operatorAt{w, t, bin, dispatcher}
	number, bill := o.letter()
	o.run([]string{Unmapped, "handlemanid", "1 events: 0 mapped", "nothing was sent"}, "mapping", "preview", "--dead")
	o.run([]string{Unmapped, "黄涛", "table staff"}, "mapping", "suggest", "staff", "--staff-list")
	o.run([]string{"the tables lack nothing"}, "mapping", "suggest", "options")
	o.mend(number, bill)
	o.moveTable()
	o.change()
	dispatcher.stop(t)
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
	o.ends(2, []string{`give column=value; table staff has "emp", "dept" or "name"`}, "mapping", "table", "set", "staff", Unmapped, "1")
	out := o.run([]string{"no open dead letter is repaired"}, "mapping", "table", "set", "staff", Unmapped, "emp="+row.Values[0], "--who", "wang")
	if !strings.Contains(out, "nothing → emp="+row.Values[0]) {
		o.t.Errorf("table set:\n%s", out)
	}
	out = o.run([]string{"1 open dead letter(s) can be done now", "rule close"},
		"mapping", "table", "set", "staff", Unmapped, "dept="+row.Values[1], "name="+row.Values[2], "--who", "wang")
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
	o.run([]string{"processid", "- 100", "+ 99", "against the mapping in use", "5 changed (0 repaired, 0 broken)"},
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
		o.until("the log says "+step.says, func() bool { return strings.Contains(o.dispatcher.log.text(), step.says) })
	}
}

func TestCommandLine(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "gongdan-bridge/cmd/ingest", "gongdan-bridge/cmd/dispatcher")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	events, err := filepath.Abs("../../deploy/mapping/events/close.json")
	if err != nil {
		t.Fatal(err)
	}
	example := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(example, []byte("event: {file: "+events+"}\nexpect: {body: {wxztid: X}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(bad, []byte("nats: {portt: 1}\ntenants:\n  - name: Acme\n    weiban: {secret: plain-secret}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		program string
		args    []string
		status  int
		says    []string
	}{
		{"ingest", []string{"--help"}, 0, []string{"callbacks", "config check"}},
		{"dispatcher", []string{"--help"}, 0, []string{"handle-order", "dead replay"}},
		{"dispatcher", []string{"dead", "replay", "--help"}, 0, []string{"--force", "--reason"}},
		{"dispatcher", []string{"mapping", "test", "../../deploy/mapping/example.mapping.yaml"}, 0, []string{"4 example(s), 0 failed"}},
		{"dispatcher", []string{"mapping", "test", "../../deploy/mapping/example.mapping.yaml", example}, 1, []string{"FAIL  wrong", "wxztid", "- X", "+ H", "1 of 1 examples differ"}},
		{"dispatcher", []string{"--no-such-flag"}, 2, []string{"--no-such-flag"}},
		{"dispatcher", []string{"dead", "show", "x"}, 2, []string{"number"}},
		{"ingest", []string{"config", "check", "-c", bad}, 1, []string{"bridge.yaml:1:8", "portt", "bridge.yaml:3:11"}},
		{"ingest", []string{"-c", "/nowhere/bridge.yaml"}, 1, []string{"/nowhere/bridge.yaml"}},
		{"dispatcher", []string{"version"}, 0, nil},
	} {
		out, status := subcommand(t, filepath.Join(bin, tt.program), tt.args...)
		if status != tt.status {
			t.Errorf("%s %v: status %d, want %d\n%s", tt.program, tt.args, status, tt.status, out)
		}
		for _, want := range tt.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s %v does not say %q:\n%s", tt.program, tt.args, want, out)
			}
		}
		if strings.Contains(out, "plain-secret") {
			t.Errorf("%s %v repeats a secret:\n%s", tt.program, tt.args, out)
		}
	}
}
