package kingdee

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

const ok events.Kind = ""

// TestJudge is the table of what every answer means, for a read and for a write.
func TestJudge(t *testing.T) {
	gateway := func(code string) string {
		return fmt.Sprintf(`{"errcode":%s,"description":"d","descriptionCn":"中"}`, code)
	}
	app := func(code, text string) string {
		return fmt.Sprintf(`{"success":false,"status":false,"errorCode":%q,"message":%q}`, code, text)
	}
	const good = `{"data":"操作成功","errorCode":"success","status":true,"success":true}`
	type row struct {
		status      int
		body        string
		read, write events.Kind
		remedy      remedy // of the read
		writeRemedy remedy
	}
	refused := func(code string, r remedy) row {
		return row{519, gateway(code), events.Denied, events.Denied, r, r}
	}
	unclear := func(status int, body string) row {
		return row{status, body, events.Unavailable, events.Uncertain, hopeless, hopeless}
	}
	same := func(status int, body string, k events.Kind, r remedy) row { return row{status, body, k, k, r, r} }
	rows := []row{
		same(200, good, ok, hopeless),
		same(200, `{"success":true}`, ok, hopeless),
		same(200, `{"success":true,"errorCode":0,"data":[]}`, ok, hopeless),
		same(200, `{"success":"true","errorCode":"SUCCESS"}`, ok, hopeless),
		refused("4001", hopeless), refused("4002", hopeless), refused("4003", hopeless), refused("4004", hopeless),
		refused("4005", hopeless), refused("4006", signAgain), refused("4007", hopeless), refused("4008", hopeless),
		refused("4009", newToken), refused("4010", newToken), refused(`"4011"`, newToken), refused("4012", hopeless),
		unclear(519, gateway("5000")), refused("5001", newRoute), same(519, gateway("5002"), events.Internal, hopeless),
		unclear(519, gateway("5003")), unclear(519, gateway("5004")), unclear(519, gateway("5005")),
		same(519, gateway("5006"), events.Unavailable, hopeless), same(519, gateway("5007"), events.Throttled, hopeless),
		// The code is asked before the status, under any status.
		same(200, gateway("4010"), events.Denied, newToken), same(500, gateway("4010"), events.Denied, newToken),
		same(200, gateway("5006"), events.Unavailable, hopeless),
		same(200, app("11010001", "groupName"), events.Denied, newRoute), same(200, app("1030002006", ""), events.Denied, newRoute),
		same(200, app("1020002008", ""), events.Denied, newToken), unclear(200, app("2000002000", "")),
		same(200, `{"success":false,"errorCode":11010001}`, events.Denied, newRoute),
		// Readable refusals that nobody listed.
		same(200, app("900001", "单据不存在"), events.Rejected, hopeless), same(400, app("900001", "x"), events.Rejected, hopeless),
		same(200, `{"success":false}`, events.Rejected, hopeless), same(200, `{"errorCode":"77"}`, events.Rejected, hopeless),
		{200, app("900002", "Token 已失效"), events.Rejected, events.Rejected, newToken, hopeless},
		{200, app("900002", "请重新登录"), events.Rejected, events.Rejected, newToken, hopeless},
		unclear(519, gateway("5999")), unclear(500, app("900001", "x")), unclear(503, `{"success":false}`),
		// The status, where the body says nothing.
		same(429, "", events.Throttled, hopeless), same(429, app("900001", "x"), events.Throttled, hopeless),
		same(401, "", events.Denied, newToken), same(403, "<html>", events.Denied, hopeless),
		same(404, "404 No Route found", events.Denied, newRoute), same(404, `{"errcode":404,"description":"No Route"}`, events.Denied, newRoute),
		unclear(404, "<html>"), unclear(302, ""), unclear(500, ""), unclear(400, "bad"),
		// What contradicts itself.
		unclear(200, `{"success":true,"errorCode":"900001"}`), unclear(200, `{"success":true,"errcode":4010}`),
		unclear(500, good), unclear(201, `{"status":true}`), unclear(200, `[]`), unclear(200, `"ok"`),
	}
	for _, r := range rows {
		for _, write := range []bool{false, true} {
			name := fmt.Sprintf("%d %.60s write %v", r.status, r.body, write)
			v := reader{dialect: weigusoft, write: write, throttle: 10 * time.Second}.judge(connectors.Answer{Status: r.status, Body: []byte(r.body)})
			wantKind, wantRemedy := r.read, r.remedy
			if write {
				wantKind, wantRemedy = r.write, r.writeRemedy
			}
			if got := kindOf(v.failure); got != wantKind || v.remedy != wantRemedy {
				t.Errorf("%s: %q with remedy %d, want %q with %d", name, got, v.remedy, wantKind, wantRemedy)
			}
		}
	}
}

func kindOf(f *events.Failure) events.Kind {
	if f == nil {
		return ok
	}
	return f.Kind
}

// TestJudgeCredentials: both envelopes of the calls for credentials; what they
// refuse is never an order's fault.
func TestJudgeCredentials(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   events.Kind
		remedy remedy
	}{
		{200, `{"errcode":0,"description":"ok","data":[]}`, ok, hopeless},
		{200, `{"code":200,"msg":"ok","data":[]}`, ok, hopeless},
		{200, `{"code":"200"}`, ok, hopeless},
		{200, `{"errcode":1030002006,"description":"secret"}`, events.Denied, newRoute},
		{200, `{"code":500,"msg":"no"}`, events.Denied, hopeless},
		{200, `{"errcode":99,"description":"no"}`, events.Denied, hopeless},
		{519, `{"errcode":4008}`, events.Denied, hopeless},
		{519, `{"errcode":5004}`, events.Unavailable, hopeless},
		{200, `{"success":true}`, events.Unavailable, hopeless},
	} {
		v := reader{dialect: connector}.judge(connectors.Answer{Status: tc.status, Body: []byte(tc.body)})
		if got := kindOf(v.failure); got != tc.want || v.remedy != tc.remedy {
			t.Errorf("%d %s: %q with remedy %d, want %q with %d", tc.status, tc.body, got, v.remedy, tc.want, tc.remedy)
		}
	}
}

// TestJudgeWords: code, sentence and wait of a failure.
func TestJudgeWords(t *testing.T) {
	type words struct {
		Code, Reason string
		Status       int
		Wait         time.Duration
		Unlisted     bool
	}
	for _, tc := range []struct {
		status int
		after  string
		body   string
		want   words
	}{
		{200, "", `{"success":false,"errorCode":"900001","message":"单据不存在"}`, words{"900001", "单据不存在", 200, 0, true}},
		{200, "", `{"success":false,"data":"bad T0K3N"}`, words{"", "bad …", 200, 0, false}},
		{200, "", `{"success":false}`, words{"", "refused without a reason", 200, 0, false}},
		{200, "", `{"success":false,"errorCode":"see T0K3N here"}`, words{"unreadable", "see … here", 200, 0, true}},
		{519, "", `{"errcode":4010,"description":"en","descriptionCn":"令牌无效"}`, words{"4010", "the access token is empty, wrong or expired: 令牌无效", 519, 0, false}},
		{519, "", `{"errcode":5007}`, words{"5007", "the gateway is overloaded", 519, 10 * time.Second, false}},
		{519, "3", `{"errcode":5007}`, words{"5007", "the gateway is overloaded", 519, 3 * time.Second, false}},
		{429, "9", ``, words{"", "the vendor asks to call less often", 429, 9 * time.Second, false}},
		{519, "", `{"errcode":5999}`, words{"5999", "the vendor failed", 519, 0, true}},
	} {
		b := reader{dialect: weigusoft, throttle: 10 * time.Second, secrets: []string{"T0K3N"}}
		v := b.judge(connectors.Answer{Status: tc.status, Header: http.Header{"Retry-After": {tc.after}}, Body: []byte(tc.body)})
		got := words{v.failure.Code, v.failure.Reason, v.failure.Status, v.failure.Wait, v.unlisted}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.body, diff)
		}
	}
}

// FuzzJudge: no answer crashes the judge; a write is only ever called done where
// the vendor says so, and only ever given a remedy where nothing ran.
func FuzzJudge(f *testing.F) {
	for _, body := range []string{
		`{"data":"操作成功","errorCode":"success","status":true,"success":true}`, `{"errcode":4010}`, `{"errcode":5004}`,
		`{"success":false,"errorCode":11010001,"message":"Token"}`, `{"code":200,"data":[{}]}`, "<html>", "",
	} {
		f.Add(200, []byte(body))
		f.Add(519, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		v := reader{dialect: weigusoft, write: true, secrets: []string{"T0K3N"}}.judge(connectors.Answer{Status: status, Body: body})
		switch k := kindOf(v.failure); {
		case k == ok:
			if status/100 != 2 || !strings.Contains(string(body), "success") || v.envelope.code != "" {
				t.Errorf("%d %q was taken for done", status, body)
			}
		case v.remedy != hopeless && k != events.Denied:
			t.Errorf("%d %q: a remedy for %q", status, body, k)
		case strings.Contains(v.failure.Error(), "T0K3N"):
			t.Errorf("it shows the token: %v", v.failure)
		}
	})
}
