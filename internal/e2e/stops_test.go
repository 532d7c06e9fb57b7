//go:build unix

package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// TestStopDuringWork asks both programs to end while callbacks arrive and calls
// are in progress: they end with status 0, and after they have come back
// everything that was answered 200 ends, once.
func TestStopDuringWork(t *testing.T) {
	t.Parallel()
	const orders = 12
	c := morning()
	acme := tenant("acme", c)
	acme.Weiban.Callback = fakeweiban.Callback{RetryWait: 300 * time.Millisecond, Tries: 10, Senders: 2}
	acme.Kingdee.Latency = 150 * time.Millisecond
	under := make(chan struct{})
	first := sync.OnceFunc(func() { close(under) })
	acme.Kingdee.Observe = func(e script.Event) {
		if e.API == fakekingdee.APIHandle {
			first()
		}
	}
	i := install(t, harness.Options{Tenants: []harness.TenantOptions{acme}})
	start(t, i)
	s := &story{t: t, tenant: i.Tenant("acme"), clock: c}
	ctx := within(t, patience)
	var notices []fakeweiban.Notice
	for n := range orders {
		order := s.silentOrder(n, "OuyangXue", "LiYang")
		c.Pass(30 * time.Minute)
		notice, err := s.tenant.Weiban.Close(order, fakeweiban.Act{Staff: "LiYang", Text: "好了"})
		if err != nil {
			t.Fatal(err)
		}
		notices = append(notices, notice)
		s.ids = append(s.ids, notice.ID)
	}
	half := len(notices) / 2
	s.tenant.Weiban.Post(ctx, notices[:half]...)
	<-under
	s.tenant.Weiban.Post(ctx, notices[half:]...)
	began := time.Now()
	if err := i.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped in %s, with %d of %d records made", time.Since(began).Round(time.Millisecond), len(s.tenant.Kingdee.Records("")), orders)
	if n := len(s.tenant.Kingdee.Records("")); n == 0 || n == orders {
		t.Errorf("%d of %d records when it stopped: it was not at work", n, orders)
	}
	start(t, i)
	if err := s.tenant.Weiban.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if n := s.tenant.Weiban.Accepted(); n != orders {
		t.Errorf("%d of %d callbacks were accepted", n, orders)
	}
	s.ended(subscribe(t, i))
	for n := range orders {
		if got := s.statuses(fakekingdee.BillNo(n)); len(got) != 1 {
			t.Errorf("bill %d has the records %v, want one", n, got)
		}
	}
}

// TestSandbox: the sandbox is up at once, tells its story, stays up, and ends
// with status 0 when it is told to, also in the middle of the story.
func TestSandbox(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		until string // a line of the story
		bound time.Duration
	}{{"Weiban verifies the URL", 10 * time.Second}, {"Ctrl-C", 20 * time.Second}} {
		t.Run(tt.until, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, patience)
			c := exec.CommandContext(ctx, programs(t).Sandbox)
			c.Dir, c.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
			var stderr strings.Builder
			c.Stderr = &stderr
			story, err := c.StdoutPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			told, said := readUntil(story, tt.until)
			took := time.Since(began)
			if !said || took > tt.bound {
				t.Errorf("%q was said: %v, after %s\n%s", tt.until, said, took, told)
			}
			asked := time.Now()
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, story) // until it is closed by the end
			if err := c.Wait(); err != nil || stderr.Len() > 0 {
				t.Errorf("interrupted, it ended with %v and said %q", err, stderr.String())
			}
			stopped := time.Since(asked)
			t.Logf("%q after %s, stopped in %s", tt.until, took.Round(time.Millisecond), stopped.Round(time.Millisecond))
			if stopped > 10*time.Second {
				t.Errorf("it took %s to end", stopped)
			}
			if left, err := filepath.Glob(filepath.Join(c.Env[1][len("TMPDIR="):], "*")); err != nil || len(left) > 0 {
				t.Errorf("it left %v behind: %v", left, err)
			}
		})
	}
}

// readUntil reads lines until one holds the words.
func readUntil(r io.Reader, words string) (told string, said bool) {
	var b strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		b.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), words) {
			return b.String(), true
		}
	}
	return b.String(), false
}

// TestPlainErrors: what an operator gets wrong at the start is said in one plain
// sentence, with status 1.
func TestPlainErrors(t *testing.T) {
	t.Parallel()
	i := install(t, harness.Options{})
	if err := i.Ingest.Start(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(i.Config())
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), "nats: {", "nats: {connect_timeout: 500ms, ", 1)
	nats := find(t, config, `port: (\d+)`)
	callbacks := find(t, config, `listen: "(127.0.0.1:\d+)"`)
	admin := find(t, config, `dispatcher:\n  admin: "(127.0.0.1:\d+)"`)
	elsewhere := func(text string) string { // all ports but the callbacks' are free ones
		text = strings.Replace(text, "port: "+nats, "port: "+fmt.Sprint(free(t)), 1)
		return regexp.MustCompile(`admin: "127.0.0.1:\d+"`).ReplaceAllString(text, `admin: "127.0.0.1:0"`)
	}
	taken := listen(t, admin)
	for _, tt := range []struct {
		name, program, config string
		words                 []string
	}{
		{
			"store in use", programs(t).Ingest, strings.Replace(elsewhere(config), callbacks, "127.0.0.1:0", 1),
			[]string{i.Path("nats"), "in use by process"},
		},
		{
			"callbacks' port taken", programs(t).Ingest, strings.Replace(elsewhere(config), "dir: nats", "dir: nats-2", 1),
			[]string{callbacks, "address already in use"},
		},
		{
			"NATS port taken", programs(t).Ingest, strings.NewReplacer("dir: nats", "dir: nats-3", callbacks, "127.0.0.1:0").Replace(config),
			[]string{"127.0.0.1:" + nats, "in use"},
		},
		{"admin port taken", programs(t).Dispatcher, config, []string{taken.Addr().String(), "address already in use"}},
		{
			"no NATS server", programs(t).Dispatcher, elsewhere(config),
			[]string{"connect nats://127.0.0.1:", "not reachable"},
		},
		{
			"no token", programs(t).Dispatcher, strings.Replace(elsewhere(config), "nats.token", "none.token", 1),
			[]string{"none.token"},
		},
		{
			"no mapping", programs(t).Dispatcher, strings.Replace(strings.Replace(config, admin, "127.0.0.1:0", 1), "acme/mapping.yaml", "none.yaml", 1),
			[]string{"none.yaml", "no such file"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := i.Path(strings.ReplaceAll(tt.name, " ", "-") + ".yaml")
			if err := os.WriteFile(path, []byte(tt.config), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := i.Run(within(t, patience), tt.program, "-c", path)
			if err != nil || r.Status != 1 {
				t.Fatalf("status %d, want 1: %v\n%s", r.Status, err, r.Stderr)
			}
			plain(t, r, tt.words)
		})
	}
}

// plain holds what a program said at its end against the words that must be in it.
func plain(t *testing.T, r harness.Result, words []string) {
	t.Helper()
	// The faults of a file stand one a line, behind what was logged.
	var last string
	for line := range strings.Lines(r.Stderr) {
		if last += line; strings.HasPrefix(line, "{") {
			last = ""
		}
	}
	for _, w := range words {
		if !strings.Contains(last, w) {
			t.Errorf("the last word does not name %q:\n%s", w, r.Stderr)
		}
	}
	if last == "" || strings.Contains(r.Stderr, "goroutine ") {
		t.Errorf("that is no plain sentence:\n%s", r.Stderr)
	}
}

func find(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in\n%s", pattern, text)
	}
	return m[1]
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// free is a port that nobody uses now.
func free(t *testing.T) int {
	t.Helper()
	ports, err := script.FreePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}
