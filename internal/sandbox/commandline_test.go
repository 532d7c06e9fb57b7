package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	bin := map[string]string{"ingest": programs(t).Ingest, "dispatcher": programs(t).Dispatcher}
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
		out, status := subcommand(t, bin[tt.program], tt.args...)
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
