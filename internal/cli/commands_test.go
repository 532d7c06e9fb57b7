package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
)

// installation is both programs' files and everything that they speak to.
type installation struct {
	t       *testing.T
	path    string // bridge.yaml
	cfg     *config.Config
	bus     *bus.Bus
	server  *natsd.Server
	weiban  *fakeweiban.Server
	kingdee *fakekingdee.Server
	faults  *script.Script
}

const mappingText = `version: 1
bill: {orderNo: '${component("金蝶工单号")}'}
rules:
  - name: close
    when: callback.status in ["switch", "close"]
    body: {handlesdate: "2025-07-17 08:11:41", handleedate: "2025-07-17 18:11:41", handlemanid: "%s", handledeptid: "%s",
      wxztid: H, processid: "100", wtyyid: "%s", clfaid: "%s", cljgid: "%s", clsmid: '${callback.content.text}'}
`

const configText = `nats: {url: %q, token: file:nats.token}
ingest: {listen: %q, admin: "127.0.0.1:0"}
dispatcher:
  admin: "127.0.0.1:0"
  retries: {quick_tries: 2, quick_first: 5ms, quick_max: 10ms, waits: [100ms]}
  breaker: {failures: 3, open_for: 200ms}
  ownership: {renew: 300ms, expire: 3s}
  calls: {timeout: 300ms, read_timeout: 300ms}
  doubt: {looks: [50ms, 100ms]}
  stop_within: 3s
tenants:
  - name: acme
    mapping: acme.yaml
    weiban:
      {base_url: %q, corp_id: %q, secret: file:weiban.secret, receivers: [%q], callbacks: [{token: file:callback.token, encoding_aes_key: file:callback.key}]}
    kingdee:
      {base_url: %q, account_id: %q, app: {client_id: %q, client_secret: file:kingdee.secret, outer_instance_id: %q}}
`

// install writes the files; nothing of the bridge runs yet.
func install(t *testing.T) *installation {
	t.Helper()
	const token, key = "commandsCallbackToken", "c2FuZGJveC1hZXMta2V5LW9mLTMyLWJ5dGVzLWxvbmc"
	in := &installation{t: t, faults: script.New(1)}
	srv := bustest.Server(t)
	in.server, in.bus = srv, bustest.Connect(t, srv, bus.Options{})
	var err error
	if in.weiban, err = fakeweiban.New(fakeweiban.Options{Callback: fakeweiban.Callback{Token: token, EncodingAESKey: key}}); err != nil {
		t.Fatal(err)
	}
	in.kingdee = fakekingdee.New(fakekingdee.Options{Script: in.faults, AnyReference: true})
	if err := errors.Join(in.weiban.Start(t.Context(), ""), in.kingdee.Start(t.Context(), "")); err != nil {
		t.Fatal(err)
	}
	base, a, dir := fakekingdee.SampleBase(), in.kingdee.Account(), t.TempDir()
	for name, text := range map[string]string{
		"nats.token": srv.Token(), "weiban.secret": in.weiban.Secret(), "callback.token": token, "callback.key": key, "kingdee.secret": a.ClientSecret,
		"acme.yaml": fmt.Sprintf(mappingText, base.Employees[0].ID, base.Departments[0].ID, base.Reasons[0].ID, base.Schemes[0].ID, base.Results[0].ID),
		"bridge.yaml": fmt.Sprintf(configText, srv.URL(), free(t), in.weiban.URL(), in.weiban.CorpID(), in.weiban.CorpID(),
			in.kingdee.URL(), a.AccountID, a.ClientID, a.OuterInstanceID),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in.path = filepath.Join(dir, "bridge.yaml")
	if in.cfg, err = config.Load(in.path, os.LookupEnv); err != nil {
		t.Fatal(err)
	}
	return in
}

// free is a loopback address that nobody uses now.
func free(t *testing.T) string {
	t.Helper()
	ports, err := script.FreePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0])
}

// start runs one program until the returned function, or the test, ends.
func (in *installation) start(run func(app.Run, context.Context) error) (stop func()) {
	in.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan app.Addresses, 1), make(chan error, 1)
	r := app.Run{Config: in.cfg, Env: func(string) (string, bool) { return "", false }, Log: &bytes.Buffer{}, Ready: func(a app.Addresses) { ready <- a }}
	go func() { done <- run(r, ctx) }()
	select {
	case a := <-ready:
		if a.Listen != "" {
			in.weiban.SetCallbackURL((&url.URL{Scheme: "http", Host: a.Listen, Path: "/weiban/acme"}).String())
		}
	case err := <-done:
		cancel()
		in.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			in.t.Error(err)
		}
	}
	in.t.Cleanup(stop)
	return stop
}

// dispatcher runs a subcommand and gives what it printed.
func (in *installation) dispatcher(args ...string) (string, error) {
	in.t.Helper()
	var out bytes.Buffer
	err := cli.DispatcherMain(in.t.Context(), cli.Program{
		Args: append(args, "-c", in.path), Env: func(string) (string, bool) { return "", false }, Stdout: &out, Stderr: &out,
	})
	return out.String(), err
}

// says fails unless the command succeeds and its output has every word.
func (in *installation) says(command string, words ...string) string {
	in.t.Helper()
	out, err := in.dispatcher(strings.Fields(command)...)
	if err != nil {
		in.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return in.holds(command, out, words)
}

// refuses fails unless the command fails with status 1 and says every word.
func (in *installation) refuses(command string, words ...string) string {
	in.t.Helper()
	return in.ends(1, command, words...)
}

// ends is a command that fails with that exit status.
func (in *installation) ends(status int, command string, words ...string) string {
	in.t.Helper()
	out, err := in.dispatcher(strings.Fields(command)...)
	if cli.ExitStatus(err) != status {
		in.t.Fatalf("%s: status %d: %v\n%s", command, cli.ExitStatus(err), err, out)
	}
	return in.holds(command, out+err.Error(), words)
}

func (in *installation) holds(command, out string, words []string) string {
	in.t.Helper()
	flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " ")
	for _, w := range words {
		if !strings.Contains(flat, w) {
			in.t.Errorf("%s does not say %q:\n%s", command, w, out)
		}
	}
	in.t.Logf("$ dispatcher %s\n%s", command, out)
	return out
}

// until polls; what is waited for happens soon or never.
func (in *installation) until(what string, ok func() bool) {
	in.t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			in.t.Fatalf("not within 20 s: %s", what)
		case <-tick.C:
		}
	}
}

// closed makes an order and sends its close to ingest.
func (in *installation) closed(bill string) (number string) {
	in.t.Helper()
	number = in.order(bill)
	in.send(in.weiban.Close(number, fakeweiban.Act{Staff: "LiYang", Text: "顾客的话"}))
	return number
}

func (in *installation) send(n fakeweiban.Notice, err error) {
	in.t.Helper()
	if err == nil {
		_, err = in.weiban.Send(in.t.Context(), n)
	}
	if err != nil {
		in.t.Fatal(err)
	}
}

func (in *installation) order(bill string) (number string) {
	in.t.Helper()
	in.kingdee.AddBill(fakekingdee.Bill{OrderNo: bill})
	n, err := in.weiban.Create(fakeweiban.NewOrder{
		Title: "报修", Creator: "LiYang", Answers: []fakeweiban.Answer{{Type: "input", Title: "金蝶工单号", Values: []string{bill}}},
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return n.Key
}

func (in *installation) ended(number string, o events.Outcome) {
	in.t.Helper()
	in.until(number+" "+string(o), func() bool {
		_, err := in.bus.Last(in.t.Context(), bus.Events, events.OutcomeSubject("acme", o, number))
		return err == nil
	})
}

func (in *installation) letters() (out []deadletter.Open) {
	in.t.Helper()
	out, _, err := deadletter.NewBox(in.bus, time.Now).Page(in.t.Context(), deadletter.Filter{}, 0, 100)
	if err != nil {
		in.t.Fatal(err)
	}
	return out
}

// The commands of an operator's day, against both programs at work.
func TestOperatorsDay(t *testing.T) {
	in := install(t)
	in.refuses("owners", "acme", "unclaimed", "nobody owns acme")
	in.refuses("pause acme handle --reason 盘点", "no dispatcher owns the tenant now")
	in.refuses("pause nobody handle --reason x", "tenant nobody is not configured")
	in.start(app.Run.Ingest)
	stop := in.start(app.Run.Dispatcher)
	in.until("the tenant is owned", func() bool {
		_, err := in.dispatcher("resume", "acme", "handle", "--who", "wang")
		return err == nil
	})
	in.says("owners", "acme owned")
	number := in.closed("fwgs-1")
	in.ended(number, events.Applied)
	in.says("order show "+number, "acme · work_order · "+number+" · bill fwgs-1", "callback", "enriched", "applied, rule close")
	in.refuses("order show 1446370000000000000", `nothing is known of "1446370000000000000" at acme`)
	in.refuses("order show "+number+" --noun opportunity", "unknown order")

	in.refuses("order replay 7 --event x --reason 误删", `nothing is known of "7" at acme`)
	in.refuses("order replay "+number+" --event x --reason 误删", "holds no such enriched event")
	enriched, err := in.bus.Last(t.Context(), bus.Events, "gongdan.acme.event.enriched.work_order.close."+number)
	if err != nil {
		t.Fatal(err)
	}
	again := "order replay " + number + " --reason 误删 --event " + strings.TrimPrefix(enriched.ID(), "acme/")
	in.refuses(again, "give --force")
	in.says(again+" --force", "is sent to handle again, replay 1, as generation 1")
	in.until("a second record", func() bool { return len(in.kingdee.Records("fwgs-1")) == 2 })

	in.says("pause acme handle --reason 盘点 --who wang", "acme: stage handle is paused")
	in.says("owners", "handle by wang at", ": 盘点")
	paused := in.closed("fwgs-2")
	in.until("it waits", func() bool {
		_, err := in.bus.Bucket(bus.State).Get(t.Context(), "wait.acme.work_order."+paused)
		return err == nil
	})
	in.says("order show "+paused, "waits until its API may be called", "the stage is paused by wang: 盘点")
	in.says("balance --since 1h", "accepted 2", "applied 1", "waiting, handle: paused 1", "unexplained 0")
	in.says("resume acme handle --who wang")
	in.ended(paused, events.Applied)

	stop()
	in.refuses("owners", "acme", "released")
	in.closed("fwgs-3")
	in.says("balance", "in hand or not delivered yet, enrich 1", "unexplained 0")
}

// Letters are replayed in bulk only in the number that was seen, and an order that
// waits with its letter is settled and not replayed.
func TestLettersInBulkAndSettled(t *testing.T) {
	in := install(t)
	in.start(app.Run.Ingest)
	in.start(app.Run.Dispatcher)
	var dead []string
	for i := range 3 {
		in.faults.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
		n := in.closed(fmt.Sprint("fwgs-", i))
		in.ended(n, events.Dead)
		dead = append(dead, n)
	}
	in.says("dead replay --all --kind unmapped", "no letters fit")
	in.says("dead replay --all --kind rejected --tenant acme", "3 letter(s) fit; say --yes 3")
	in.refuses("dead replay --all --kind rejected --yes 2", "3 letters fit, not 2; nothing was replayed")
	if n := len(in.letters()); n != 3 {
		t.Fatalf("%d letters are open", n)
	}
	in.says("dead discard 1 --reason 手工处理 --who li", "discarded 1")
	in.says("dead replay --all --kind rejected --yes 2", "replayed 2 of 2 letter(s), 0 failed")
	in.ended(dead[1], events.Applied)
	in.ended(dead[2], events.Applied)
	in.says("balance", "accepted 3", "applied 2", "dead, closed by li 1", "unexplained 0")

	l := in.doubtful()
	show := in.says(fmt.Sprint("dead show ", l.Number), "the order waits with this letter", fmt.Sprint("dead settle ", l.Number))
	if strings.Contains(show, "NUMBER") {
		t.Errorf("the advice does not name the letter:\n%s", show)
	}
	in.refuses(fmt.Sprint("dead replay ", l.Number, " --force --reason x"), "dispatcher dead settle")
	in.refuses(fmt.Sprint("dead discard ", l.Number, " --reason x"), "dispatcher dead settle")
	in.says("dead replay --all", "1 letter(s) passed over", "no letters fit")
	in.says("balance", "waiting, handle: letter 1", "unexplained 0")
	in.says(fmt.Sprint("dead settle ", l.Number, " applied --reason 已核对"), "settled "+fmt.Sprint(l.Number)+" as applied")
	in.ended(l.Key, events.Applied)
	in.says("balance", "applied 4", "unexplained 0")
	in.refuses(fmt.Sprint("dead settle ", l.Number, " applied --reason 再次"), "no such dead letter")
}

// doubtful is the letter of an order whose call may have run and whose handling
// records cannot be read.
func (in *installation) doubtful() deadletter.Open {
	in.t.Helper()
	number := in.order("fwgs-doubt")
	in.send(in.weiban.Switch(number, fakeweiban.Act{Staff: "LiYang", Handler: "LiHua", Text: "上门"}))
	in.ended(number, events.Applied)
	in.kingdee.SetListShape(fakekingdee.ListOdd)
	in.faults.Add(script.Fault{Kind: script.Cut, API: "handle-order", Commit: true})
	in.send(in.weiban.Close(number, fakeweiban.Act{Staff: "LiHua", Text: "修好"}))
	in.until("a letter waits", func() bool { return len(in.letters()) == 1 && in.letters()[0].Waiting })
	return in.letters()[0]
}

// What is printed as JSON can be read back, one object a line.
func TestCommandsSpeakJSON(t *testing.T) {
	in := install(t)
	if _, err := in.bus.Publish(t.Context(), bus.Message{
		Subject: events.CallbackSubject("acme", "work_order_change", "close", "7"), ID: "acme/m7", Data: []byte(`{}`),
	}); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"owners --json", "balance --json", "order show 7 --json"} {
		out, _ := in.dispatcher(strings.Fields(command)...)
		var x struct {
			Tenant string `json:"tenant"`
		}
		if err := json.Unmarshal([]byte(out), &x); err != nil || x.Tenant != "acme" {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
	if out, err := in.dispatcher("balance", "--since", "yesterday"); cli.ExitStatus(err) != 2 {
		t.Errorf("--since yesterday: %v\n%s", err, out)
	}
}

// A callback that is settled and left no trace is named, and the status says so.
func TestBalanceNamesWhatIsLost(t *testing.T) {
	in := install(t)
	for i := range 3 {
		if _, err := in.bus.Publish(t.Context(), bus.Message{
			Subject: events.CallbackSubject("acme", "work_order_change", "close", fmt.Sprint("144637", i)), ID: fmt.Sprint("acme/m", i), Data: []byte(`{}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.bus.Bucket(bus.State).Put(t.Context(), "trail.acme.enrich.work_order", []byte(`{"epoch":1,"floor":2}`)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"0123456789abcdef", "0123456789abcde0", "0123456789abcdef"} {
		if _, err := in.bus.Publish(t.Context(), bus.Message{
			Subject: events.CallbackSubject("acme", "meeting_change", "create", "m"), ID: "acme/" + events.CallbackID("m", key), Data: []byte(`{}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	in.refuses("balance", "message ids of Weiban's that came with more than one content 1", "unexplained 2", "CALLBACKS 1 1446370 m0", "no outcome was published", "2 callbacks are unexplained")
}
