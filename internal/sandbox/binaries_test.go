package sandbox

import (
	"bytes"
	"context"
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

	"gongdan-bridge/internal/sandbox/fakekingdee"
)

// child is one of the two programs as a process of its own.
type child struct {
	cmd    *exec.Cmd
	log    safeBuffer
	ended  chan error
	status error
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
			<-c.ended
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
	w := &world{o: Options{Stdout: &story, Log: io.Discard}, say: newTeller(&story), failed: make(chan error, 2)}
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

// operate repairs the letter that the story leaves: the row is added, the
// dispatcher started anew, the letter replayed.
func (w *world) operate(t *testing.T, bin string, dispatcher *child) {
	t.Helper()
	out, status := subcommand(t, bin, "dead", "list", "--json", "-c", w.cfgPath)
	if status != 0 || !strings.Contains(out, `"word":"`+Unmapped+`"`) || strings.Count(out, "\n") != 1 {
		t.Fatalf("dead list: status %d\n%s", status, out)
	}
	dispatcher.stop(t)
	dir := filepath.Dir(w.cfgPath)
	table, err := os.OpenFile(filepath.Join(dir, "staff.csv"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	base := fakekingdee.SampleBase()
	if _, err := fmt.Fprintf(table, "%s,%s,%s,黄涛\n", Unmapped, base.Employees[9].ID, base.Departments[2].ID); err != nil {
		t.Fatal(err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	again := startChild(t, bin, w.cfgPath)
	ready(t, w.ports.dispatcherAdmin)
	if out, status := subcommand(t, bin, "dead", "replay", "1", "-c", w.cfgPath); status != 0 {
		t.Fatalf("dead replay: status %d\n%s", status, out)
	}
	bill := cast()[1].bill
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for len(w.kingdee.Records(bill)) == 0 {
		select {
		case <-deadline:
			t.Fatal("the replayed letter left no record within 20 s")
		case <-tick.C:
		}
	}
	if out, status := subcommand(t, bin, "dead", "list", "-c", w.cfgPath); status != 0 || !strings.Contains(out, "no dead letters") {
		t.Errorf("dead list after the replay: status %d\n%s", status, out)
	}
	again.stop(t)
	if n := len(w.kingdee.Records(bill)); n != 1 {
		t.Errorf("%d records after one replay", n)
	}
}

func TestCommandLine(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "gongdan-bridge/cmd/ingest", "gongdan-bridge/cmd/dispatcher")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
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
