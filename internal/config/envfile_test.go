package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestEnvFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bridge.env")
	write(t, path, "\ufeff# secrets\n\nWEIBAN_SECRET=a=b \r\nexport QUOTED=\"c # d\"\nSET=file\n")
	env, err := EnvFile(path, lookup(map[string]string{"SET": "environment"}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"WEIBAN_SECRET": "a=b", "QUOTED": "c # d", "SET": "environment"} {
		if got, ok := env(name); !ok || got != want {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	if _, ok := env("OTHER"); ok {
		t.Error("a variable from nowhere")
	}
	write(t, path, "A=1\nhunter2\n")
	if _, err := EnvFile(path, os.LookupEnv); err == nil || err.Error() != path+":2: is no variable (not shown); expected NAME=value" {
		t.Errorf("%v", err)
	}
	if _, err := EnvFile(path+"x", os.LookupEnv); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("%v", err)
	}
}

// TestSecretsThatCanNeverWork: what copying and editing leave around a secret is a fault
// that repeats nothing of it.
func TestSecretsThatCanNeverWork(t *testing.T) {
	for value, want := range map[string]string{
		"\ufeffhunter2\n":       "begins with a byte order mark (BOM)",
		"\"hunter2\"":           "has quotes at both ends",
		"“hunter2”":             "has quotes at both ends",
		"WEIBAN_SECRET=hunter2": "is a line NAME=value",
		"export A_B_C=hunter2":  "is a line NAME=value",
		"hunter2 # Weiban's":    "has a # comment behind it",
		"hunter2\t# Weiban's":   "has a # comment behind it",
		"hun\u200bter2":         "holds the invisible character U+200B",
		"hun\u00a0ter2":         "holds the invisible character U+00A0",
		"hunter2\u2060":         "holds the invisible character U+2060",
		" hunter2\n":            "",
		"hunter2#a=b":           "",
		"QUJD=":                 "",
		"QUJDRA==":              "",
	} {
		secret, found, _ := settle("env:X", value)
		if want == "" && (found != "" || secret.Reveal() != strings.TrimSpace(value)) || want != "" && found != "env:X, which "+want {
			t.Errorf("%q: %q", value, found)
		}
	}
}

func TestSecretFileThatOthersRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	text, dir := base(t)
	if w := mustLoad(t, text, dir).Warnings(); len(w) > 0 {
		t.Errorf("%v", w)
	}
	if err := os.Chmod(filepath.Join(dir, "client-secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "client-secret") + ": every user of this host may read the secret; expected chmod o-r"
	if w := mustLoad(t, text, dir).Warnings(); len(w) != 1 || w.Error() != want {
		t.Errorf("%v", w)
	}
}
