//go:build unix

package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gongdan-bridge/internal/testwing/harness"
)

// run runs a program alone, in an empty directory.
func runAlone(t *testing.T, program string, args ...string) harness.Result {
	t.Helper()
	r, err := harness.Run(within(t, patience), t.TempDir(), []string{"PATH=" + os.Getenv("PATH")}, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHelp: every subcommand of both programs says what it is for, in the words
// by which the program lists it.
func TestHelp(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile(`^  ([a-z]+(?: [a-z-]+)*)(?: \S+)*(?:  +(\S.*))?$`)
	for _, program := range []string{programs(t).Ingest, programs(t).Dispatcher} {
		name := filepath.Base(program)
		top := runAlone(t, program, "--help")
		_, list, ok := strings.Cut(top.Stdout, "Commands:\n")
		if top.Status != 0 || !ok {
			t.Fatalf("%s --help: status %d\n%s", name, top.Status, top.Stdout)
		}
		list, _, _ = strings.Cut(list, "\n\n")
		purposes := map[string]string{}
		var last string
		for line := range strings.SplitSeq(list, "\n") {
			if m := row.FindStringSubmatch(line); m != nil {
				last = m[1]
				purposes[last] = m[2]
			} else {
				purposes[last] += " " + strings.TrimSpace(line)
			}
		}
		if len(purposes) < 4 || purposes["run"] == "" {
			t.Errorf("%s lists %v", name, purposes)
		}
		for command, purpose := range purposes {
			r := runAlone(t, program, append(strings.Fields(command), "--help")...)
			said := strings.Join(strings.Fields(r.Stdout), " ")
			if r.Status != 0 || r.Stderr != "" || strings.TrimSpace(purpose) == "" || !strings.Contains(said, strings.TrimSpace(purpose)) {
				t.Errorf("%s %s --help: status %d, want 0 and %q in\n%s%s", name, command, r.Status, purpose, r.Stdout, r.Stderr)
			}
		}
	}
}

func TestWrongCommandLine(t *testing.T) {
	t.Parallel()
	for _, program := range []string{programs(t).Ingest, programs(t).Dispatcher} {
		for _, args := range [][]string{{"--nope"}, {"nope"}, {"config"}, {"config", "print", "--nope"}, {"run", "nope"}} {
			r := runAlone(t, program, args...)
			if r.Status != 2 || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "--help") {
				t.Errorf("%s %s: status %d, want 2 and one line that names --help:\n%s", filepath.Base(program), strings.Join(args, " "), r.Status, r.Stderr)
			}
		}
	}
}

// faulty is a configuration with a fault on each line that is marked by its
// column; what is written out there must not be repeated.
const faulty = `nats: {replicas: two}
ingest:
  lissten: ":8080"
  max_body: 12 parsecs
dispatcher:
  ack_wait: soon
  token_key: written-out-secret
tenants:
  - name: Acme Corp
    mapping: m.yaml
    weiban: {corp_id: "1", secret: env:NOT_THERE, callbacks: []}
    kingdee: {account_id: "1", per_minute: 501}
`

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "bridge.yaml")
	if err := os.WriteFile(path, []byte(faulty), 0o600); err != nil {
		t.Fatal(err)
	}
	places := []string{"1:18", "3:3", "4:13", "6:13", "7:14", "9:11", "11:36", "11:62", "12:44"}
	for _, tt := range [][]string{
		{programs(t).Ingest, "run"},
		{programs(t).Ingest, "config", "check"},
		{programs(t).Ingest, "config", "print"},
		{programs(t).Dispatcher, "run"},
		{programs(t).Dispatcher, "config", "check"},
		{programs(t).Dispatcher, "mapping", "check"},
		{programs(t).Dispatcher, "dead", "list"},
	} {
		r := runAlone(t, tt[0], append(tt[1:], "-c", path)...)
		if r.Status != 1 || strings.Contains(r.Stdout+r.Stderr, "written-out-secret") {
			t.Errorf("%s: status %d\n%s%s", strings.Join(tt, " "), r.Status, r.Stdout, r.Stderr)
		}
		for _, place := range places {
			if !strings.Contains(r.Stderr, path+":"+place+": ") {
				t.Errorf("%s names no fault at %s:\n%s", strings.Join(tt, " "), place, r.Stderr)
			}
		}
	}
}

// TestConfigOfARightOne: what is right is said to be, printed with its defaults,
// and shown without its secrets; a fault in the mapping has its place.
func TestConfigOfARightOne(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{Servers: 1})
	secrets, err := i.Secrets()
	if err != nil {
		t.Fatal(err)
	}
	s := newScanner(secrets)
	for _, program := range []string{programs(t).Ingest, programs(t).Dispatcher} {
		for args, word := range map[string]string{
			"config check":     "no faults",
			"config print":     "secret: file:" + i.Path("acme/weiban.secret"),
			"config reference": "tenants[].weiban.callbacks[].encoding_aes_key",
			"version":          "",
		} {
			r, err := i.Run(within(t, patience), program, strings.Fields(args)...)
			if err != nil || r.Status != 0 || !strings.Contains(r.Stdout, word) || r.Stderr != "" {
				t.Errorf("%s: status %d, %v\n%s%s", args, r.Status, err, r.Stdout, r.Stderr)
			}
			s.check(t, args, []byte(r.Stdout))
		}
	}
	mapping, err := os.ReadFile(i.Path("acme/mapping.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.NewReplacer(`lookup("staff", callback.staff_id)}`, `lookup("stuff", callback.staff_id)}`, "wxztid: H", "wxztid: X").Replace(string(mapping))
	if err := os.WriteFile(i.Path("acme/mapping.yaml"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"mapping check", "config check", "run"} {
		r, err := i.Run(within(t, patience), programs(t).Dispatcher, strings.Fields(args)...)
		places := regexp.MustCompile(`acme/mapping\.yaml:\d+:\d+`).FindAllString(r.Stderr, -1)
		if err != nil || r.Status != 1 || len(places) < 2 || !strings.Contains(r.Stderr, "stuff") {
			t.Errorf("%s with two faults in the mapping: status %d, %v\n%s", args, r.Status, err, r.Stderr)
		}
	}
}
