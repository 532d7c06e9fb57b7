package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gongdan-bridge/internal/cli"
)

const smallConfig = `tenants:
  - name: acme
    mapping: m.yaml
    weiban: {corp_id: "1", secret: env:SECRET, callbacks: [{token: file:token, encoding_aes_key: env:KEY}]}
    kingdee: {account_id: "1", app: {client_id: "1", client_secret: env:SECRET, outer_instance_id: "1"}}
`

// TestConfigCheck: it passes nothing that a start then refuses, and asks --env-file for
// variables that the environment lacks.
func TestConfigCheck(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bridge.yaml")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mapping, err := os.ReadFile("../../deploy/mapping/example.mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write("bridge.yaml", smallConfig)
	write("m.yaml", string(mapping))
	write("token", "callbackToken")
	write("bridge.env", "SECRET=s\nKEY=c2FuZGJveC1hZXMta2V5LW9mLTMyLWJ5dGVzLWxvbmc\n")
	check := func(args ...string) string {
		var out strings.Builder
		err := cli.IngestMain(t.Context(), cli.Program{
			Args: append([]string{"config", "check", "-c", path}, args...), Env: func(string) (string, bool) { return "", false }, Stdout: &out, Stderr: &out,
		})
		if err != nil {
			out.WriteString(err.Error())
		}
		return out.String()
	}
	if got := check(); !strings.Contains(got, "--env-file") {
		t.Errorf("a missing variable: %s", got)
	}
	file := filepath.Join(dir, "bridge.env")
	tables, err := filepath.Glob("../../deploy/mapping/*s.*") // causes, solutions
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(tables, "../../deploy/mapping/staff.csv") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Base(name), string(text))
	}
	if got := check("--env-file", file); !strings.HasSuffix(got, "1 tenant(s), no faults\n") {
		t.Errorf("a sound configuration: %s", got)
	}
	write("token", "callback token")
	if got := check("--env-file", file); !strings.Contains(got, "tenant acme: weiban.callbacks: ") || strings.Contains(got, "callback token") {
		t.Errorf("a token that the codec refuses: %s", got)
	}
}
