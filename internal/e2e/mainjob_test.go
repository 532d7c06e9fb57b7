//go:build unix

package e2e_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// The requests that the first order's switch and close must become. The form's
// words, the staff and the times are those of the story below.
const (
	wantSwitch = `{
  "entity": "", "id": "1741100000000000001", "flag": "handle-order",
  "body_": {
    "orderNo": "fwgs-20250605-00000001",
    "handlesdate": "2025-06-05 09:00:00", "handleedate": "2025-06-05 09:30:00",
    "handlemanid": "1697009251337127936", "handledeptid": "1697221606960547840",
    "wxztid": "F", "combofield": "F", "diff": 0.5, "processid": "50",
    "wtyyid": "1895123256688529413", "clfaid": "1895123523051995141", "cljgid": "2028468841138471936",
    "clsmid": "已上门,缺配件 <3 & \"等\"", "labs": [{"id": "1697009251337131008"}],
    "lat": "", "lgt": "", "handleAddress": "杭州市西湖区示例路 8 号", "attmentInforspre": [],
    "attmentInforsafter": [{"url": "https://img.example/after.jpg", "name": "after.jpg"}]
  }
}`
	wantClose = `{
  "entity": "", "id": "1741100000000000001", "flag": "handle-order",
  "body_": {
    "orderNo": "fwgs-20250605-00000001",
    "handlesdate": "2025-06-05 09:30:00", "handleedate": "2025-06-05 10:30:00",
    "handlemanid": "1697009251337129984", "handledeptid": "1697221606960547840",
    "wxztid": "H", "combofield": "H", "diff": 1, "processid": "100",
    "wtyyid": "1895123256688529413", "clfaid": "1895123523051995141", "cljgid": "2028468841138471936",
    "clsmid": "已更换压缩机", "labs": [], "lat": "", "lgt": "", "handleAddress": "杭州市西湖区示例路 8 号",
    "attmentInforspre": [], "attmentInforsafter": []
  }
}`
)

// unmapped is the staff member whom the table does not know at first.
const unmapped = "HuangTao"

// TestMainJob is the main job through the real binaries: callbacks become the
// right calls in Kingdee, once, and what cannot be done waits until a person has
// mended its cause.
func TestMainJob(t *testing.T) {
	t.Parallel()
	c := morning()
	i := install(t, harness.Options{Tenants: []harness.TenantOptions{tenant("acme", c)}})
	acme := i.Tenant("acme")
	if err := acme.MapStaff(unmapped); err != nil {
		t.Fatal(err)
	}
	start(t, i)
	sub := subscribe(t, i)
	if err := acme.Weiban.Verify(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, tenant: acme, clock: c}
	visitAndClose(s, sub)
	duplicates(s, sub)
	deal := opportunity(s)
	dead := unknownHandler(s)
	s.ended(sub)
	letter := oneLetter(t, i, dead)
	mend(t, i, sub, dead, letter)
	asHeard(t, s, sub, deal, dead)
	command(t, i, 0, "balance")
	resident(t, i)
	if err := i.Stop(within(t, patience)); err != nil {
		t.Error(err)
	}
	if breaches := fmt.Sprint(acme.Weiban.Breaches(), acme.Kingdee.Breaches()); breaches != "[] []" {
		t.Errorf("quotas were breached: %s", breaches)
	}
}

func visitAndClose(s *story, sub *harness.Subscriber) {
	s.t.Helper()
	w := s.tenant.Weiban
	one, bill := s.order(0, "OuyangXue", "LiYang")
	s.then(w.Switch, one, fakeweiban.Act{
		Staff: "LiYang", Handler: "LiMei", CC: []string{"WangQiang"}, Text: `已上门,缺配件 <3 & "等"`,
		Pics: []string{"https://img.example/after.jpg"}, Show: true,
	})
	s.then(w.Reply, one, fakeweiban.Act{Staff: "OuyangXue", Text: "客户催促"})
	s.then(w.Close, one, fakeweiban.Act{Staff: "LiMei", Text: "已更换压缩机"})
	s.ended(sub)
	records := s.tenant.Kingdee.Records(bill)
	if len(records) != 2 {
		s.t.Fatalf("%s has %d handling records, want 2", bill, len(records))
	}
	for n, want := range []string{wantSwitch, wantClose} {
		if diff := cmp.Diff(document(s.t, want), unmarked(document(s.t, records[n].Body))); diff != "" {
			s.t.Errorf("request %d (-want +got):\n%s", n+1, diff)
		}
	}
	if b, _ := s.tenant.Kingdee.Bill(bill); b.Status != "H" || b.CompletedAt != "2025-06-05 10:30:00" {
		s.t.Errorf("the bill is %s, completed %q", b.Status, b.CompletedAt)
	}
}

func document(t *testing.T, text string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// unmarked is a request whose note has lost the bridge's marker at its end, which
// nobody can foretell.
func unmarked(request map[string]any) map[string]any {
	body, _ := request["body_"].(map[string]any)
	if note, ok := body["clsmid"].(string); ok {
		body["clsmid"] = regexp.MustCompile(` ?\[wb:[0-9a-z]{8}\]$`).ReplaceAllString(note, "")
	}
	return request
}

// duplicates sends one callback eight times at once and once more afterwards.
func duplicates(s *story, sub *harness.Subscriber) {
	s.t.Helper()
	w := s.tenant.Weiban
	order, bill := s.order(1, "OuyangXue", "LiHua")
	s.clock.Pass(time.Hour)
	n, err := w.Switch(order, fakeweiban.Act{Staff: "LiHua", Handler: "ZhaoLei", Text: "第一次上门"})
	if err != nil {
		s.t.Fatal(err)
	}
	answers := make(chan error, 8)
	for range cap(answers) {
		go func() {
			_, err := w.Send(s.t.Context(), n)
			answers <- err
		}()
	}
	for range cap(answers) {
		if err := <-answers; err != nil {
			s.t.Error(err)
		}
	}
	s.sent(n, nil)
	s.ended(sub)
	s.sent(n, nil)
	// Of one order everything goes in turn: when this has ended, so has all before.
	s.then(w.Reply, order, fakeweiban.Act{Staff: "OuyangXue", Text: "谢谢"})
	s.ended(sub)
	if got := s.statuses(bill); !slices.Equal(got, []string{"F"}) {
		s.t.Errorf("a callback sent ten times left the records %v, want one F", got)
	}
}

func opportunity(s *story) fakeweiban.Opportunity {
	s.t.Helper()
	w := s.tenant.Weiban
	o, err := w.AddOpportunity(fakeweiban.Opportunity{Name: "延保合同", StaffID: "ChenJing"})
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := w.OpportunityChange(o.ID, "ChenJing", func(o *fakeweiban.Opportunity) { o.Stage = fakeweiban.Stages()[1] })
	s.sent(n, err)
	return o
}

// failed is the close that cannot be mapped.
type failed struct {
	notice fakeweiban.Notice
	bill   string
}

func unknownHandler(s *story) failed {
	s.t.Helper()
	order, bill := s.order(2, "OuyangXue", unmapped)
	return failed{s.then(s.tenant.Weiban.Close, order, fakeweiban.Act{Staff: unmapped, Text: "已清理卡纸"}), bill}
}

// letterLine is what a reader of `dead list --json` may rely on.
type letterLine struct {
	Number                                                                         uint64
	Tenant, Stage, Noun, Key, Kind, Shelf, Reason, Advice, Rule, Field, Expr, Word string
	EventID                                                                        string `json:"event_id"`
}

// oneLetter asks the command for the open letters, of which there must be one.
func oneLetter(t *testing.T, i *harness.Installation, dead failed) string {
	t.Helper()
	out := command(t, i, 0, "dead", "list", "--json")
	var l letterLine
	if err := json.Unmarshal([]byte(out), &l); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("not one letter (%v):\n%s", err, out)
	}
	want := letterLine{
		Number: l.Number, Reason: l.Reason, Advice: l.Advice, Tenant: "acme", Stage: "handle", Noun: "work_order", Key: dead.notice.Key,
		Kind: "unmapped", Shelf: "business", Rule: "close", Field: "handlemanid", Expr: `lookup("staff", callback.staff_id)`,
		Word: unmapped, EventID: l.EventID,
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("letter (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(l.EventID, dead.notice.ID+".") || !strings.HasSuffix(l.EventID, "~enrich~0") {
		t.Errorf("the letter is of event %s, want one of %s", l.EventID, dead.notice.ID)
	}
	if l.Reason == "" || l.Advice == "" {
		t.Error("the letter says neither why nor what to do")
	}
	number := fmt.Sprint(l.Number)
	for _, args := range [][]string{{"dead", "list"}, {"dead", "show", number}} {
		if out := command(t, i, 0, args...); !strings.Contains(out, unmapped) || !strings.Contains(out, dead.notice.Key) {
			t.Errorf("dispatcher %s names neither the order nor the word:\n%s", strings.Join(args, " "), out)
		}
	}
	return number
}

// mend adds the missing row and replays the letter, twice.
func mend(t *testing.T, i *harness.Installation, sub *harness.Subscriber, dead failed, letter string) {
	t.Helper()
	acme, d := i.Tenant("acme"), i.Dispatchers[0]
	if got := acme.Kingdee.Records(dead.bill); len(got) != 0 {
		t.Fatalf("Kingdee has a record before the replay: %+v", got)
	}
	if err := acme.MapStaff(); err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patience)
	if err := d.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	command(t, i, 0, "dead", "replay", letter, "--who", "auditor", "--reason", "the row was missing")
	if err := sub.Wait(ctx, func(h []harness.Heard) bool { return len(harness.Outcomes(h, dead.notice.ID)) == 2 }); err != nil {
		t.Fatal(err)
	}
	command(t, i, 1, "dead", "replay", letter)
	if out := command(t, i, 0, "dead", "list", "--json"); out != "" {
		t.Errorf("after the replay there are letters:\n%s", out)
	}
	if got := acme.Kingdee.Records(dead.bill); len(got) != 1 || got[0].Status != "H" || got[0].HandlerID != "1697009251337137152" {
		t.Errorf("after the replay Kingdee has %+v", got)
	}
	audit, err := sub.Bus().Page(ctx, bus.Audit, "gongdan.acme.audit.dead_replay", 1, 10)
	if err != nil || len(audit) != 1 || !strings.Contains(string(audit[0].Data), `"who":"auditor","reason":"the row was missing"`) {
		t.Errorf("the audit has %d lines: %+v, %v", len(audit), audit, err)
	}
}

// command runs `dispatcher …`, which must end with that status, and returns what
// it printed.
func command(t *testing.T, i *harness.Installation, status int, args ...string) string {
	t.Helper()
	r, err := i.Run(within(t, patience), programs(t).Dispatcher, args...)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != status {
		t.Errorf("dispatcher %s: status %d, want %d\n%s%s", strings.Join(args, " "), r.Status, status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// resident holds every program of the bridge against the bound of 60 MB.
func resident(t *testing.T, i *harness.Installation) {
	t.Helper()
	const bound = 60_000_000
	for _, p := range append([]*harness.Process{i.Ingest}, i.Dispatchers...) {
		n, err := p.Resident()
		t.Logf("%s: %.1f MB resident", p.Name, float64(n)/1e6)
		if err != nil || n >= bound {
			t.Errorf("%s: %d bytes resident, bound %d: %v", p.Name, n, bound, err)
		}
	}
}
