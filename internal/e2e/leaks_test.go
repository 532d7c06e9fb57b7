//go:build unix

package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
	"gongdan-bridge/internal/testwing/script"
)

// TestNoSecretLeaks runs the bridge through everything that goes wrong, with
// debug logs and tracing on, and then looks for every secret of the run in
// everything that the run has written.
func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	spans := newCollector(t)
	c := morning()
	var refused atomic.Int64
	gamma := tenant("gamma", c)
	gamma.Weiban.Observe = func(e script.Event) {
		if e.API == fakeweiban.APIToken && e.Outcome == "10001" {
			refused.Add(1)
		}
	}
	i := install(t, harness.Options{
		Tenants:  []harness.TenantOptions{tenant("acme", c), tenant("beta", c), gamma},
		LogLevel: "debug", Ingest: "  read_timeout: 400ms\n",
		Dispatcher: strings.Replace(harness.Quick, "stop_within: 8s", "stop_within: 1s", 1),
		Env:        []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + spans.url, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_METRIC_EXPORT_INTERVAL=500"},
	})
	start(t, i)
	sub := subscribe(t, i)
	badCallbacks(t, i, sub)
	reads := weibanFaults(t, i.Tenant("acme"), c)
	writes := kingdeeFaults(t, i.Tenant("beta"), c)
	refusals(t, i.Tenant("gamma"), c, &refused)
	reads.ended(sub)
	writes.ended(sub)
	onceEach(reads)
	onceEach(writes)

	written := map[string][]byte{}
	for _, p := range []*harness.Process{i.Ingest, i.Dispatchers[0]} {
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			_, page, err := p.Get(t.Context(), path)
			if err != nil {
				t.Error(err)
			}
			written[p.Name+path] = page
		}
	}
	commands(t, i, written)
	if err := i.Stop(within(t, patience)); err != nil {
		t.Error(err)
	}
	for _, p := range i.Processes() {
		text, err := p.Log()
		if err != nil {
			t.Error(err)
		}
		written["log of "+p.Name] = text
	}
	written["spans"] = spans.text()
	secrets, err := i.Secrets()
	if err != nil {
		t.Fatal(err)
	}
	scan(t, i, secrets, written)
}

// scan looks for the secrets in what was written, and makes sure that both are
// what they should be.
func scan(t *testing.T, i *harness.Installation, secrets map[string]string, written map[string][]byte) {
	t.Helper()
	kinds := map[string]int{}
	for _, what := range secrets {
		kinds[what]++
	}
	for what, n := range map[string]int{
		"token key": 1, "NATS token": 1, "acme/callback.token": 1, "acme/callback.key": 1, "acme/weiban.secret": 1, "acme/kingdee.secret": 1,
		"weiban access_token": 4, "kingdee access_token": 4, "kingdee app-token": 4, "kingdee authority_info": 4,
		"kingdee app_signature": 2, "kingdee X-Api-Signature": 4, "acme app secret": 1,
	} {
		if kinds[what] < n {
			t.Errorf("the run used %d of %q, it should have used %d at least", kinds[what], what, n)
		}
	}
	s := newScanner(secrets)
	size := 0
	for where, text := range written {
		s.check(t, where, text)
		size += len(text)
	}
	store := s.checkTree(t, i.Path("nats"))
	t.Logf("looked for %d secrets in %d forms, in %d bytes and a store of %d", len(secrets), len(s.forms), size, len(store))
	for where, word := range map[string]string{
		"spans": "kingdee handle-order", "log of ingest": `"level":"WARN"`, "log of dispatcher-1": `"trace_id"`,
		"dispatcher-1/metrics": "gongdan_vendor_calls_total", "ingest/metrics": "gongdan_ingest_callbacks_total",
		"dispatcher dead list --json": `"kind":"rejected"`, "dispatcher config print": "file:",
	} {
		if !bytes.Contains(written[where], []byte(word)) {
			t.Errorf("%s does not hold %q: it is not what was to be scanned", where, word)
		}
	}
	if !bytes.Contains(store, []byte(`"orderNo":"`+fakekingdee.BillNo(0))) {
		t.Error("the store holds no outcome: it is not what was to be scanned")
	}
}

// weibanFaults lets each order's detail call suffer another fault.
func weibanFaults(t *testing.T, tenant *harness.Tenant, c *harness.Clock) *story {
	t.Helper()
	s := &story{t: t, tenant: tenant, clock: c}
	tenant.KingdeeFaults.Add(script.Fault{Kind: script.GroupMoved, API: fakekingdee.APIHandle})
	return s.suffer(tenant.WeibanFaults, fakeweiban.APIOrder,
		script.Fault{Kind: script.TokenExpired}, script.Fault{Kind: script.HTML}, script.Fault{Kind: script.Half},
		script.Fault{Kind: script.Torn}, script.Fault{Kind: script.Huge}, script.Fault{Kind: script.Hang},
		script.Fault{Kind: script.Cut}, script.Fault{Kind: script.Status, Text: "secret=" + tenant.Weiban.Secret()},
		script.Fault{Kind: script.Odd}, script.Fault{Kind: script.Code, Code: "29999", Text: "invalid secret " + tenant.Weiban.Secret()},
	)
}

// kingdeeFaults does so for both calls to Kingdee; among them are answers that
// quote every credential that a call carries, and the secret behind them.
func kingdeeFaults(t *testing.T, tenant *harness.Tenant, c *harness.Clock) *story {
	t.Helper()
	s := &story{t: t, tenant: tenant, clock: c}
	struck := func() bool { return len(tenant.KingdeeFaults.Left()) == 0 }
	s.suffer(tenant.KingdeeFaults, fakekingdee.APIHandle, script.Fault{Kind: script.Slow})
	eventually(t, "Kingdee is called", struck)
	quote := tenant.Kingdee.Account().ClientSecret
	for secret, what := range tenant.KingdeeGate.Secrets() {
		if !strings.HasSuffix(strings.ToLower(what), "signature") && secret != tenant.Kingdee.Account().AppSecret { // no such call carries these
			quote += " " + secret
		}
	}
	s.suffer(tenant.KingdeeFaults, fakekingdee.APIHandle,
		script.Fault{Kind: script.Refuse, Text: "签名错误 " + quote}, script.Fault{Kind: script.Status, Status: 502, Text: "<html>" + quote})
	eventually(t, "Kingdee quotes credentials", struck) // those in use: the next fault ends them
	s.suffer(tenant.KingdeeFaults, fakekingdee.APIHandle,
		script.Fault{Kind: script.TokenExpired}, script.CommitThenHang("", 0), script.CommitThenGarbage("", false), script.CommitThenCut(""),
	)
	return s.suffer(tenant.KingdeeFaults, fakekingdee.APIList,
		script.Fault{Kind: script.HTML}, script.Fault{Kind: script.Half}, script.Fault{Kind: script.Huge}, script.Fault{Kind: script.Cut})
}

// suffer closes one work order for each fault, which strikes that order's next
// call of the API.
func (s *story) suffer(faults *script.Script, api string, list ...script.Fault) *story {
	s.t.Helper()
	for _, f := range list {
		i := len(s.ids)
		order := s.silentOrder(i, "OuyangXue", "LiYang")
		f.API, f.Key = api, order
		if api != fakeweiban.APIOrder {
			f.Key = fakekingdee.BillNo(i)
		}
		faults.Add(f)
		s.then(s.tenant.Weiban.Close, order, fakeweiban.Act{Staff: "LiYang", Text: "好了"})
	}
	return s
}

// onceEach: whatever happened, no bill has two records, and every fault struck.
func onceEach(s *story) {
	s.t.Helper()
	for _, b := range s.tenant.Kingdee.Bills() {
		if n := len(s.tenant.Kingdee.Records(b.OrderNo)); n > 1 {
			s.t.Errorf("%s: bill %s has %d records", s.tenant.Name, b.OrderNo, n)
		}
	}
	if left := slices.Concat(s.tenant.WeibanFaults.Left(), s.tenant.KingdeeFaults.Left()); len(left) != 0 {
		s.t.Errorf("%s: faults that never struck: %+v", s.tenant.Name, left)
	}
}

// refusals lets Kingdee cut its token short and then refuse it, and Weiban refuse
// the secret; none of it can end well, so nothing waits for it but the calls.
func refusals(t *testing.T, tenant *harness.Tenant, c *harness.Clock, refused *atomic.Int64) {
	t.Helper()
	account := tenant.Kingdee.Account()
	tenant.KingdeeFaults.Add(
		script.Fault{Kind: script.Half, Commit: true, API: fakekingdee.APIToken},
		script.Fault{Kind: script.Code, Code: "1030002001", Text: account.ClientSecret + " " + account.AppSecret, API: fakekingdee.APIToken},
	)
	s := &story{t: t, tenant: tenant, clock: c}
	one, two := s.silentOrder(0, "OuyangXue", "LiYang"), s.silentOrder(1, "OuyangXue", "LiMei")
	s.then(tenant.Weiban.Close, one, fakeweiban.Act{Staff: "LiYang", Text: "好了"})
	eventually(t, "authorisation goes wrong", func() bool { return len(tenant.KingdeeFaults.Left()) == 0 })
	tenant.Weiban.RotateSecret("another-secret-of-weiban")
	s.then(tenant.Weiban.Close, two, fakeweiban.Act{Staff: "LiMei", Text: "好了"})
	eventually(t, "the secret is refused", func() bool { return refused.Load() > 0 })
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := within(t, patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("it did not come to pass that %s", what)
		case <-tick.C:
		}
	}
}

// commands keeps what every command prints that shows something of the run.
func commands(t *testing.T, i *harness.Installation, written map[string][]byte) {
	t.Helper()
	keep := func(program string, args ...string) string {
		r, err := i.Run(within(t, patience), program, args...)
		if err != nil || r.Status != 0 {
			t.Errorf("%s: status %d, %v\n%s", strings.Join(args, " "), r.Status, err, r.Stderr)
		}
		name := "dispatcher "
		if program == programs(t).Ingest {
			name = "ingest "
		}
		written[name+strings.Join(args, " ")] = []byte(r.Stdout + r.Stderr)
		return r.Stdout
	}
	list := keep(programs(t).Dispatcher, "dead", "list", "--json")
	keep(programs(t).Dispatcher, "dead", "list")
	for n := range strings.Count(list, "\n") {
		keep(programs(t).Dispatcher, "dead", "show", fmt.Sprint(n+1))
		keep(programs(t).Dispatcher, "dead", "show", "--json", fmt.Sprint(n+1))
	}
	for n := range 3 {
		order := i.Tenant("beta").Weiban.Orders()[n].OrderNo
		keep(programs(t).Dispatcher, "order", "show", order)
		keep(programs(t).Dispatcher, "order", "show", "--bodies", "--json", order)
	}
	keep(programs(t).Dispatcher, "owners")
	keep(programs(t).Dispatcher, "config", "print")
	keep(programs(t).Dispatcher, "config", "check")
	keep(programs(t).Ingest, "config", "print")
}

// collector is an OpenTelemetry collector that keeps what it is sent, as it came:
// texts stand in it as they are.
type collector struct {
	url string
	mu  sync.Mutex
	got bytes.Buffer
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Encoding") != "" {
			http.Error(w, "cannot be read", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got.Write(body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) text() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.got.Bytes())
}
