package proof

import (
	"context"
	"encoding/csv"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/sandbox/fakekingdee"
	"gongdan-bridge/internal/sandbox/fakeweiban"
	"gongdan-bridge/internal/sandbox/script"
)

// customer is one tenant with its own two simulated vendors.
type customer struct {
	name    string
	weiban  *fakeweiban.Server
	kingdee *fakekingdee.Server
	wrong   *script.Script // what goes wrong at Kingdee
	amiss   *script.Script // and at Weiban
	passed  atomic.Int64   // story time that has passed, in nanoseconds
	calls   *tally         // Kingdee's, by moment
}

// set is how an installation differs from the ordinary one.
type set struct {
	tenants  int
	settings string // of bridge.yaml, above tenants
	weiban   fakeweiban.Options
	kingdee  fakekingdee.Options
	nats     string // more of the section nats
	extra    string // of each tenant
	mapping  string // "" is testdata/mapping.yaml
}

// installation is the files, the vendors and the addresses of one bridge.
type installation struct {
	t         *testing.T
	dir       string
	config    string
	customers []*customer
	listen    string
	natsPort  int
}

// brisk are intervals scaled to about a twelfth. The deadline of a call covers its
// time in the queue for the pace, which is not scaled: six orders at eight calls a
// second fit into it, sixteen would not.
const brisk = `  ownership: {renew: 250ms, expire: 1s}
  calls: {timeout: 1500ms, read_timeout: 400ms, max_wait: 500ms}
  concurrency: 6
  breaker: {failures: 8, open_for: 300ms, probe_denied: 1s}
  retries: {quick_tries: 2, quick_first: 50ms, quick_max: 200ms, waits: [200ms, 400ms, 800ms, 1s], give_up: 10m}
  doubt: {looks: [200ms, 600ms]}
  sweeps: {expiry: 5s, doubles: 2s, trim: 5s}
  ack_wait: 2s
  stop_within: 2s
`

// install makes the vendors and writes the files; nothing of the bridge runs yet.
func install(t *testing.T, seed uint64, s set) *installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "gongdan-proof-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("everything of this run is kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ports, err := script.FreePorts(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	in := &installation{t: t, dir: dir, natsPort: ports[0], listen: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	for i := range max(s.tenants, 1) {
		in.customers = append(in.customers, newCustomer(t, seed, i, s))
	}
	in.files(s)
	for _, c := range in.customers {
		c.weiban.SetCallbackURL("http://" + in.listen + "/weiban/" + c.name)
	}
	return in
}

func newCustomer(t *testing.T, seed uint64, i int, s set) *customer {
	t.Helper()
	c := &customer{name: fmt.Sprintf("t%d", i+1), wrong: script.New(seed + uint64(i)), amiss: script.New(seed ^ uint64(i+77)), calls: &tally{}}
	w, k := s.weiban, s.kingdee
	w.CorpID, w.Seed, w.Script = strconv.FormatInt(1653682321878942721+int64(i), 10), seed+uint64(i)+1, c.amiss
	w.Clock = func() time.Time { return time.Now().Add(time.Duration(c.passed.Load()) - 20*24*time.Hour) }
	if w.Callback.Tries == 0 {
		w.Callback.Tries, w.Callback.RetryWait, w.Callback.Timeout = 20, 150*time.Millisecond, 3*time.Second
	}
	k.Account.AccountID = strconv.FormatInt(1683187060740048426+int64(i), 10)
	k.Seed, k.Script, k.Observe = seed+uint64(i)+1, c.wrong, c.calls.see
	var err error
	if c.weiban, err = fakeweiban.New(w); err != nil {
		t.Fatal(err)
	}
	c.kingdee = fakekingdee.New(k)
	for _, start := range []func(context.Context, string) error{c.weiban.Start, c.kingdee.Start} {
		if err := start(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

const (
	callbackToken = "hJqcu3uJ9Tn2gXPmxx2w9kkCkCE2EPYo"
	callbackKey   = "6qkdMrq68nTKduznJYO1A37W2oEgpkMUvkttRToqhUt"
)

func (in *installation) files(s set) {
	in.t.Helper()
	text := s.mapping
	if text == "" {
		b, err := os.ReadFile("testdata/mapping.yaml")
		if err != nil {
			in.t.Fatal(err)
		}
		text = string(b)
	}
	in.put("mapping.yaml", text)
	in.put("weiban.secret", in.customers[0].weiban.Secret())
	in.put("callback.token", callbackToken)
	in.put("callback.key", callbackKey)
	in.put("tokens.key", strings.Repeat("5d", 32))
	in.put("kingdee.secret", in.customers[0].kingdee.Account().ClientSecret)
	in.tables()
	in.put("bridge.yaml", in.bridge(s))
	in.config = filepath.Join(in.dir, "bridge.yaml")
}

// bridge is bridge.yaml; its admin listeners take any free port, since two
// dispatchers share the file.
func (in *installation) bridge(s set) string {
	settings := s.settings
	if settings == "" {
		settings = brisk
	}
	var b strings.Builder
	fmt.Fprintf(&b, `nats: {url: "nats://127.0.0.1:%d", token: "file:nats.token", connect_timeout: 20s%s}
ingest: {listen: %q, admin: "127.0.0.1:0", publish_timeout: 2s}
dispatcher:
  admin: "127.0.0.1:0"
  token_key: file:tokens.key
%stenants:
`, in.natsPort, s.nats, in.listen, settings)
	for _, c := range in.customers {
		a := c.kingdee.Account()
		fmt.Fprintf(&b, `  - name: %s
    mapping: mapping.yaml
%s    weiban:
      base_url: %s
      corp_id: %q
      secret: file:weiban.secret
      callbacks: [{token: file:callback.token, encoding_aes_key: file:callback.key}]
    kingdee:
      base_url: %s
      account_id: %q
      per_minute: 480
      app: {client_id: %q, client_secret: file:kingdee.secret, outer_instance_id: %q}
`, c.name, s.extra, c.weiban.URL(), c.weiban.CorpID(), c.kingdee.URL(), a.AccountID, a.ClientID, a.OuterInstanceID)
	}
	return b.String()
}

func (in *installation) put(name, text string) {
	in.t.Helper()
	if err := os.WriteFile(filepath.Join(in.dir, name), []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) tables() {
	in.t.Helper()
	base := fakekingdee.SampleBase()
	rows := map[string][][]string{"staff.csv": {{"staff_id", "emp", "dept", "name"}}}
	for i, s := range fakeweiban.Roster() {
		rows["staff.csv"] = append(rows["staff.csv"], []string{s.ID, base.Employees[i].ID, base.Departments[i/4].ID, s.Name})
	}
	for name, items := range map[string][]fakekingdee.Item{"cause.csv": base.Reasons, "solution.csv": base.Schemes, "result.csv": base.Results} {
		rows[name] = [][]string{{"option", "id"}}
		for _, it := range items {
			rows[name] = append(rows[name], []string{it.Name, it.ID})
		}
	}
	for name, list := range rows {
		var b strings.Builder
		if err := csv.NewWriter(&b).WriteAll(list); err != nil {
			in.t.Fatal(err)
		}
		in.put(name, b.String())
	}
}

// natsServer is the command of a NATS server process of its own.
func (in *installation) natsServer() *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = []string{
		role + "=nats", "PROOF_NATS_DIR=" + filepath.Join(in.dir, "nats"), "PROOF_NATS_PORT=" + strconv.Itoa(in.natsPort),
		"PROOF_NATS_TOKEN=" + filepath.Join(in.dir, "nats.token"),
	}
	return cmd
}

// real is the command of a real program.
func (in *installation) real(name string) func() *exec.Cmd {
	in.t.Helper()
	dir, err := built()
	if err != nil {
		in.t.Fatalf("build the programs: %v", err)
	}
	return func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), filepath.Join(dir, name), "-c", filepath.Join(in.dir, "bridge.yaml"))
		cmd.Dir = in.dir
		return cmd
	}
}

// scaled is the command of a dispatcher whose pace is multiplied.
func (in *installation) scaled(factor int) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), os.Args[0])
		cmd.Env = []string{role + "=dispatcher", "PROOF_SCALE=" + strconv.Itoa(factor), "GONGDAN_CONFIG=" + in.config}
		return cmd
	}
}

// embedded starts a NATS server in this process, where the files expect one.
func (in *installation) embedded() *bus.Server {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), 30*time.Second)
	defer cancel()
	s, err := bus.StartServer(ctx, bus.ServerOptions{
		Dir: filepath.Join(in.dir, "nats"), Port: in.natsPort, TokenFile: filepath.Join(in.dir, "nats.token"),
	})
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() {
		end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(end); err != nil {
			in.t.Error(err)
		}
	})
	return s
}

// run runs a program's main work in this process until the test ends or the
// returned function is called; it returns once it is up.
func (in *installation) run(name string, work func(app.Run, context.Context) error, change func(*config.Config)) (stop func()) {
	in.t.Helper()
	cfg, err := config.Load(in.config, os.LookupEnv)
	if err != nil {
		in.t.Fatal(err)
	}
	if change != nil {
		change(cfg)
	}
	log, err := os.OpenFile(filepath.Join(in.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		in.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	up, done := make(chan struct{}), make(chan error, 1)
	go func() {
		r := app.Run{Config: cfg, Env: os.LookupEnv, Log: log, Ready: func(app.Addresses) { close(up) }}
		done <- work(r, ctx)
	}()
	select {
	case <-up:
	case err := <-done:
		in.t.Fatalf("%s: %v", name, err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			in.t.Logf("%s: %v", name, err)
		}
		_ = log.Close() // only read by people
	}
	in.t.Cleanup(stop)
	return stop
}

// observer is a connection of the test's own; it outlives the server's deaths, and
// leaves the making of streams to the programs.
func (in *installation) observer() *bus.Bus {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), 30*time.Second)
	defer cancel()
	b, err := bus.Connect(ctx, bus.Options{
		URL: fmt.Sprintf("nats://127.0.0.1:%d", in.natsPort), Name: "proof", TokenFile: filepath.Join(in.dir, "nats.token"),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() {
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = b.Close(end) // the server may be gone already
	})
	return b
}

// owners are the instances that own the tenants now.
func (in *installation) owners(ctx context.Context, b *bus.Bus) (map[string]string, error) {
	list, err := ownership.Owners(ctx, b.Bucket("STATE"))
	out := map[string]string{}
	for _, o := range list {
		if !o.Released {
			out[o.Tenant] = o.Instance
		}
	}
	return out, err
}

// instance is the name that the program's present process owns tenants by.
func (p *program) instance(t *testing.T) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return ""
	}
	return fmt.Sprintf("%s-%d", host, p.cmd.Process.Pid)
}
