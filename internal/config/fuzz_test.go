package config

import (
	"os"
	"strings"
	"testing"

	"gongdan-bridge/internal/textfile"
)

// Whatever the file holds: no crash, faults with a place each, and no secret of the environment in
// any of them.
func FuzzParse(f *testing.F) {
	sound, err := os.ReadFile("testdata/bridge.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sound))
	for _, seed := range []string{
		"", "~", "a", "[]", "tenants: [~, 1, {}]", "tenants: &a [*a]", "nats: &n {tls: *n}", "? [x]\n: y", "nats: !x {}", "ingest: {listen: !!binary aGk=}",
		"tenants:\n- weiban: {secret: 'file:/dev/stdin'}", "nats: {url: 'nats://u:p@h'}", "\x00", "---\n---\n", "dispatcher: {retries: {waits: [[[]]]}}", "nats: {token: *hunter2}",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text), dir+"/bridge.yaml", lookup(testEnv()))
		if err == nil {
			if len(c.Tenants) == 0 {
				t.Error("a configuration without tenants was taken")
			}
			return
		}
		faults := textfile.Of(err)
		if faults == nil {
			t.Fatalf("not faults: %v", err)
		}
		for _, fault := range faults {
			if fault.Where != "" && (fault.Line < 1 || fault.Column < 1) || fault.Message == "" {
				t.Errorf("a fault without place or finding: %+v", fault)
			}
			if strings.Contains(fault.String(), "-hunter2-") && !strings.Contains(text, "-hunter2-") {
				t.Errorf("a fault repeats a secret: %v", fault)
			}
		}
	})
}
