//go:build unix

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/testwing/harness"
)

// edit changes a file of the installation.
func edit(t *testing.T, i *harness.Installation, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(i.Path(file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(i.Path(file), bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readiness is the answer of /readyz: the status, and what each check says.
func readiness(t *testing.T, p *harness.Process) (status int, checks map[string]string) {
	t.Helper()
	status, body, err := p.Get(within(t, patience), "/readyz")
	if err != nil {
		return 0, nil // it does not listen yet
	}
	var a struct {
		Checks []struct {
			Name, Why, Note string
			Ready           bool
		}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	checks = map[string]string{}
	for _, c := range a.Checks {
		checks[c.Name] = fmt.Sprintf("%t %s%s", c.Ready, c.Why, c.Note)
	}
	return status, checks
}

// shows waits until a program's readiness has that status, and a check that says it.
func shows(t *testing.T, p *harness.Process, status int, check, says string) {
	t.Helper()
	eventually(t, p.Name+" shows "+says, func() bool {
		s, checks := readiness(t, p)
		return s == status && strings.Contains(checks[check], says)
	})
}

// TestServerThatDoesNotSync takes a NATS server with its own defaults: both programs
// say so and are not ready, unless the configuration accepts it.
func TestServerThatDoesNotSync(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{Servers: 1})
	edit(t, i, "nats-1.conf", "sync_interval: always, ", "")
	if err := i.Servers[0].Start(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	programs := []*harness.Process{i.Ingest, i.Dispatchers[0]}
	for _, p := range programs {
		if err := p.Launch(); err != nil {
			t.Fatal(err)
		}
		shows(t, p, 503, "sync", "false the NATS server confirms messages before they are on disk")
		if log, err := p.Log(); err != nil || !bytes.Contains(log, []byte(`"level":"WARN"`)) || !bytes.Contains(log, []byte("sync_interval: always")) {
			t.Errorf("%s says nothing of it: %v", p.Name, err)
		}
		if err := p.Stop(within(t, patience)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"bridge.yaml", "dispatcher-1.yaml"} {
		edit(t, i, file, "nats: {", "nats: {accept_unsynced: true, ")
	}
	for _, p := range programs {
		if err := p.Start(within(t, patience)); err != nil {
			t.Fatal(err)
		}
		shows(t, p, 200, "sync", "true accepted by nats.accept_unsynced")
	}
}

// TestServerThatDoesNotFit starts both programs against a server without JetStream, and
// one with a small max_payload: they end at once, with one line that says what to do.
func TestServerThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to, says string }{
		{"jetstream {", "# {", "JetStream is off on the NATS server: add a jetstream block"},
		{"max_payload: 8MB", "max_payload: 64KB", "it takes 65536 bytes"},
	} {
		i := install(t, harness.Options{Servers: 1})
		edit(t, i, "nats-1.conf", tt.from, tt.to)
		if err := i.Servers[0].Start(within(t, patience)); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{programs(t).Ingest, programs(t).Dispatcher} {
			r, err := i.Run(within(t, patience), program)
			if err != nil {
				t.Fatal(err)
			}
			said := r.Stderr[strings.LastIndex(strings.TrimSpace(r.Stderr), "\n")+1:]
			if r.Status != 1 || !strings.Contains(said, tt.says) {
				t.Errorf("%s: status %d, last words %q", filepath.Base(program), r.Status, said)
			}
		}
	}
}

// TestStreamDeletedUnderPrograms deletes CALLBACKS while both programs run: an alert
// and owners name it, and it is made again.
func TestStreamDeletedUnderPrograms(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{})
	start(t, i)
	token, err := os.ReadFile(i.Path("nats.token"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(i.NATSURL(), nats.Token(strings.TrimSpace(string(token))))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(within(t, patience), "CALLBACKS"); err != nil {
		t.Fatal(err)
	}
	d := i.Dispatchers[0]
	eventually(t, "the dispatcher raises an alert", func() bool {
		_, metrics, err := d.Get(within(t, patience), "/metrics")
		return err == nil && regexp.MustCompile(`alerts_total\{[^}]*alarm="store"`).Match(metrics)
	})
	for _, p := range []*harness.Process{i.Ingest, d} {
		shows(t, p, 200, "store", "true")
	}
	eventually(t, "owners names it", func() bool {
		r, err := i.Run(within(t, patience), programs(t).Dispatcher, "owners", "--json")
		return err == nil && r.Status == 0 && strings.Contains(r.Stdout, `"CALLBACKS"`)
	})
	if _, err := js.Stream(within(t, patience), "CALLBACKS"); err != nil {
		t.Error(err)
	}
}

// TestServerThatIsTooOld puts something that greets as NATS 2.11.6 in the server's
// place: both programs refuse it in one line that names both versions.
func TestServerThatIsTooOld(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{Servers: 1})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", strings.TrimPrefix(i.NATSURL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = c.Write([]byte(`INFO {"server_id":"x","version":"2.11.6","headers":true,"proto":1,"max_payload":8388608}` + "\r\n"))
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "PING") {
						_, _ = c.Write([]byte("PONG\r\n"))
					}
				}
			}()
		}
	}()
	for _, program := range []string{programs(t).Ingest, programs(t).Dispatcher} {
		r, err := i.Run(within(t, patience), program)
		if err != nil {
			t.Fatal(err)
		}
		said := r.Stderr[strings.LastIndex(strings.TrimSpace(r.Stderr), "\n")+1:]
		if r.Status != 1 || !strings.Contains(said, "too old: it is version 2.11.6, and the bridge needs 2.11.8 or later") {
			t.Errorf("%s: status %d, last words %q", filepath.Base(program), r.Status, said)
		}
	}
}

// TestMappingRefusedWhileItRuns breaks a mapping: the program stays ready, and its
// readiness, its metrics and `dispatcher owners` tell of it until it is mended.
func TestMappingRefusedWhileItRuns(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{})
	start(t, i)
	d := i.Dispatchers[0]
	shows(t, d, 200, "mapping of acme", "true ")
	edit(t, i, "acme/mapping.yaml", "version: 1", "version: 1\nnonsense: true")
	const says = "the changed mapping is refused"
	shows(t, d, 200, "mapping of acme", "true "+says)
	_, metrics, err := d.Get(within(t, patience), "/metrics")
	if err != nil || !bytes.Contains(metrics, []byte(`gongdan_mapping_refused{tenant="acme"} 1`)) {
		t.Errorf("no metric tells of it: %v", err)
	}
	if said := command(t, i, 0, "owners", "--json"); !strings.Contains(said, says) {
		t.Errorf("owners says %s", said)
	}
	edit(t, i, "acme/mapping.yaml", "\nnonsense: true", "")
	eventually(t, "the mapping is in force", func() bool {
		_, checks := readiness(t, d)
		return checks["mapping of acme"] == "true "
	})
}
