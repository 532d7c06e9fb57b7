package fakekingdee

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/testwing/script"

	"github.com/google/go-cmp/cmp"
)

// over makes a handle-order through a transport, with ten seconds' patience.
func over(t *testing.T, c *caller, remark string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	in := c.request(APIHandle, http.MethodPost, nil)
	r, err := http.NewRequestWithContext(ctx, in.Method, c.s.URL()+in.URL.RequestURI(), bytes.NewReader(order(pageBill(), remark)))
	if err != nil {
		return "", err
	}
	r.Header = in.Header
	answer, err := (&http.Client{Transport: c.s.Transport()}).Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if object(b) == nil {
		return "", errors.New("not JSON")
	}
	return verdict(answer.StatusCode, object(b)), nil
}

// What commits leaves exactly one record, whatever the caller gets to see; what
// does not commit leaves none.
func TestRecordsUnderFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := script.New(1)
		var seen []script.Kind
		s := newServer(t, Options{Script: plan, Observe: func(e script.Event) { seen = append(seen, e.Fault) }})
		if err := s.Start(t.Context(), script.InMemory); err != nil {
			t.Fatal(err)
		}
		c := newCaller(s)
		tests := []struct {
			fault   script.Fault
			records int
			answer  string // "" where the outcome cannot be known
		}{
			{script.Fault{}, 1, "ok"},
			{script.CommitThenHang(APIHandle, 0), 1, ""},
			{script.CommitThenHang(APIHandle, time.Second), 1, ""},
			{script.CommitThenCut(APIHandle), 1, ""},
			{script.CommitThenGarbage(APIHandle, false), 1, ""},
			{script.CommitThenGarbage(APIHandle, true), 1, ""},
			{script.Fault{Kind: script.Torn, Commit: true}, 1, ""},
			{script.Fault{Kind: script.Code, Code: "5004", Commit: true}, 1, "519 5004"},
			{script.Fault{Kind: script.Slow, Delay: 5 * time.Second}, 1, "ok"},
			{script.Fault{Kind: script.Slow, Delay: time.Minute}, 0, ""},
			{script.Fault{Kind: script.Slow, Delay: time.Minute, Commit: true}, 1, ""},
			{script.Fault{Kind: script.Cut}, 0, ""},
			{script.Fault{Kind: script.Hang}, 0, ""},
			{script.Fault{Kind: script.HTML}, 0, ""},
			{script.Fault{Kind: script.Code, Code: "5000"}, 0, "519 5000"},
			{script.Fault{Kind: script.Code, Code: "10201", Text: "后台错误"}, 0, "200 10201"},
			{script.Fault{Kind: script.Throttle}, 0, "519 5007"},
			{script.Fault{Kind: script.Refuse, Text: "不能处理"}, 0, "200 error"},
			{script.Fault{Kind: script.Odd}, 0, "ok"},
		}
		var want []script.Kind
		for i, tt := range tests {
			before := len(s.Records(""))
			if tt.fault.Kind != script.None {
				plan.Add(tt.fault)
			}
			got, err := over(t, c, "")
			if got != tt.answer || (err != nil) != (tt.answer == "") {
				t.Errorf("fault %d %s: %q, %v", i, tt.fault.Kind, got, err)
			}
			synctest.Wait()
			if n := len(s.Records("")) - before; n != tt.records {
				t.Errorf("fault %d %s leaves %d records, want %d", i, tt.fault.Kind, n, tt.records)
			}
			want = append(want, tt.fault.Kind)
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("the watcher saw (-want +got):\n%s", diff)
		}
	})
}

// A call may be carried out long after its caller was cut off.
func TestLateCommit(t *testing.T) {
	plan := script.New(1)
	s := newServer(t, Options{Script: plan})
	if err := s.Start(t.Context(), script.InMemory); err != nil {
		t.Fatal(err)
	}
	plan.Add(script.Fault{Kind: script.Late, API: APIHandle})
	c := newCaller(s)
	if _, err := over(t, c, "late"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("late: %v", err)
	}
	if n := len(s.Records("")); n != 0 {
		t.Errorf("%d records before the release", n)
	}
	plan.Release()
	if n := s.WithRemark("late"); n != 1 {
		t.Errorf("%d records after it", n)
	}
}

// Faults that change the account leave it changed: what they name has to be
// fetched anew.
func TestFaultsOfTheAccount(t *testing.T) {
	plan := script.New(1)
	s := newServer(t, Options{Script: plan})
	plan.Add(
		script.Fault{Kind: script.TokenExpired, API: APIHandle}, script.Fault{Kind: script.GroupMoved, API: APIHandle},
		script.Fault{Kind: script.Throttle, API: APIHandle, Status: 429},
		script.Fault{Kind: script.Code, API: APIToken, Code: "1030002006", Text: "密钥不匹配"},
		script.Fault{Kind: script.TokenExpired, API: APIUser},
	)
	handle := func(c *caller) string { return verdict(c.post(APIHandle, order(pageBill(), ""))) }
	c := newCaller(s)
	for i, want := range []string{"519 4011", "200 11010001", "429"} {
		if got := handle(c); got != want {
			t.Errorf("call %d: %s, want %s", i, got, want)
		}
	}
	if got := handle(c); got != "519 4011" {
		t.Errorf("the token lives: %s", got)
	}
	fresh := newCaller(s)
	fresh.header.Set("groupName", "ns-v7g6")
	if got := handle(fresh); got != "200 11010001" {
		t.Errorf("the old group serves: %s", got)
	}
	if got := handle(newCaller(s)); got != "ok" {
		t.Errorf("with all fetched anew: %s", got)
	}
	if got := verdict(authToken(s)); got != "200 1030002006" {
		t.Errorf("scripted token call: %s", got)
	}
	bare := newCaller(s)
	bare.query.Del("access_token")
	if got := verdict(bare.post(APIUser, []byte("{}"))); got != "519 4011" {
		t.Errorf("scripted expiry without a token: %s", got)
	}
}

// One fault for one order leaves the others alone, also on the reads that
// settle a doubt.
func TestFaultsPerOrder(t *testing.T) {
	plan := script.New(1)
	_, c := filled(t, Options{Script: plan})
	plan.Add(script.Fault{Kind: script.Odd, Key: "fwgs-20250605-00000001", Times: 2})
	if total, _, _ := ask(c, "id", records+`,"andQfilters":[{"property":"sourcebillno","cp":"=","value":"fwgs-20250605-00000002"}]`); total != "1" {
		t.Errorf("the other order: total %s", total)
	}
	if total, _, a := ask(c, "id", records+","+ofPage); total != "" || a["success"] != true {
		t.Errorf("the order: %v", a)
	}
	if got, _ := c.post(APIHandle, order(pageBill(), "r")); got != 200 || len(c.s.Records("")) != 7 {
		t.Errorf("handle-order: %d with %d records", got, len(c.s.Records("")))
	}
	if len(plan.Left()) != 0 {
		t.Errorf("left: %v", plan.Left())
	}
}

func TestMinuteQuota(t *testing.T) {
	k := newClock()
	s := newServer(t, Options{Clock: k.Now, Limits: KnownLimits().Scaled(60)})
	c := newCaller(s)
	for i := range 500 {
		if got := verdict(c.post(APIUser, []byte("{}"))); got != "ok" {
			t.Fatalf("call %d: %s", i, got)
		}
	}
	if got := verdict(c.post(APIHandle, order(pageBill(), ""))); got != "519 5007" {
		t.Errorf("call 501, of another API: %s", got)
	}
	if got := verdict(authorise(s)); got != "ok" {
		t.Errorf("authorising: %s", got)
	}
	k.Advance(time.Second)
	if got := verdict(c.post(APIHandle, order(pageBill(), ""))); got != "ok" {
		t.Errorf("a minute, scaled to a second, later: %s", got)
	}
	if b := s.Breaches(); len(b) != 1 || b[0].API != APIHandle {
		t.Errorf("breaches %+v", b)
	}
}

func TestUpload(t *testing.T) {
	s := newServer(t, Options{})
	form := func(part, name, content string) (string, []byte) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.WriteField("name", "x"); err != nil {
			t.Fatal(err)
		}
		p, err := w.CreateFormFile(part, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return w.FormDataContentType(), b.Bytes()
	}
	send := func(kind string, body []byte) map[string]any {
		c := newCaller(s)
		c.query.Del("authority_info") // the upload's page does not ask for it
		c.header.Set("Content-Type", kind)
		_, a := c.post(APIUpload, body)
		return a
	}
	var urls []string
	for _, part := range []string{"file", "file1"} {
		kind, body := form(part, "背景 图.png", "content")
		file := send(kind, body)["data"].(map[string]any)["file"].(string)
		if !strings.HasPrefix(file, "https://tf.jdy.com/fileserver//jdyattachmentimage") {
			t.Errorf("part %s: %s", part, file)
		}
		urls = append(urls, file)
	}
	want := []Upload{{"背景 图.png", 7, urls[0]}, {"背景 图.png", 7, urls[1]}}
	if diff := cmp.Diff(want, s.Uploads()); diff != "" || urls[0] == urls[1] {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
	photo := changed(nil, func(_, body map[string]any) {
		body["attmentInforspre"] = []any{map[string]any{"url": urls[0], "name": "背景 图.png"}}
	})
	if got := verdict(newCaller(s).post(APIHandle, photo)); got != "ok" {
		t.Errorf("handle-order with what was uploaded: %s", got)
	}
	s.ForgetUploads()
	if got := verdict(newCaller(s).post(APIHandle, photo)); got == "ok" {
		t.Error("handle-order with a file that is gone is accepted")
	}
	wrongPart, wrong := form("picture", "a.png", "content")
	emptyKind, empty := form("file", "a.png", "")
	for name, a := range map[string]map[string]any{
		"other part": send(wrongPart, wrong), "empty": send(emptyKind, empty),
		"not multipart": send("application/json", []byte("{}")), "cut": send(wrongPart, wrong[:40]),
	} {
		if a["success"] != false {
			t.Errorf("%s: %v", name, a)
		}
	}
}

func TestPortAndPaths(t *testing.T) {
	s := newServer(t, Options{Latency: time.Millisecond})
	if err := s.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	call := func(method, path string) (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, nil)
		if err != nil {
			return 0, err
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	for at, want := range map[[2]string]int{
		{"POST", "/weigusoft/none"}: 519, {"GET", "/weigusoft/wg_cost/loadList"}: 519,
		{"POST", "/weigusoft/wg_cost/loadList"}: 519, {"POST", "/weigusoft/wg_cost/loadList?access_token=" + s.NewToken()}: 404,
	} {
		if got, err := call(at[0], at[1]); got != want || err != nil {
			t.Errorf("%v answers %d, %v", at, got, err)
		}
	}
	s.SetDown(true)
	if _, err := call("POST", "/weigusoft/wg_cost/loadList"); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down: %v", err)
	}
	s.SetDown(false)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := call("POST", "/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("stopped: %v", err)
	}
	if err := s.Start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got, err := call("POST", "/"); got != 519 || err != nil {
		t.Errorf("started again: %d, %v", got, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSeedMakesBills(t *testing.T) {
	s := New(Options{})
	bills := s.Seed(200, nil)
	if len(bills) != 200 || bills[199].OrderNo != "fwgs-20250605-00000200" || bills[0].Status != StatusNotHandled || bills[0].Progress != "0" {
		t.Errorf("%d bills, the last %+v", len(bills), bills[len(bills)-1])
	}
	if diff := cmp.Diff(bills, s.Bills()); diff != "" {
		t.Errorf("bills held (-made +held):\n%s", diff)
	}
	s.AddBill(Bill{OrderNo: bills[0].OrderNo, ID: bills[0].ID, Status: "A"})
	if b, _ := s.Bill(bills[0].OrderNo); b.Status != "A" || len(s.Bills()) != 200 {
		t.Errorf("replaced: %+v of %d", b, len(s.Bills()))
	}
	if _, ok := s.Bill("none"); ok {
		t.Error("a bill that there is not")
	}
}
