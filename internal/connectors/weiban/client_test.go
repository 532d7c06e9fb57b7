package weiban

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/accounttest"
)

func TestWorkOrderIsFetchedVerbatim(t *testing.T) {
	v := newVendor(t)
	v.answers[APIWorkOrder] = example(t, "work_order.json")
	c := v.client(t, connectors.MemoryVault())
	before := time.Now()
	for range 2 {
		d, err := c.WorkOrder(t.Context(), orderNo)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := page(t, "work_order.json", "work_order")
		if !bytes.Equal(d.Raw, raw) {
			t.Error("raw is not what was sent")
		}
		if d.Value.Title != "2021年12月17日19:42:43" || d.UpdatedAt.Unix() != 1639741382 || d.FetchedAt.Before(before) || d.FetchedAt.After(time.Now()) {
			t.Errorf("title %q, updated %v, fetched %v", d.Value.Title, d.UpdatedAt, d.FetchedAt)
		}
	}
	if v.count(APIWorkOrder) != 2 || v.count("access_token/get") != 1 {
		t.Errorf("calls: %v", v.calls)
	}
	if q := v.queries[1]; q.Get("order_no") != orderNo || q.Get("access_token") != "t0ken-1/+==" || len(q) != 2 {
		t.Errorf("query %v", q)
	}
}

func TestOpportunityByIDOrSerialNumber(t *testing.T) {
	v := newVendor(t)
	v.answers[APIOpportunity] = func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		if id == "" {
			id = "77"
		}
		say(w, `{"errcode":0,"errmsg":"ok","opportunity":{"id":`+id+`,"serial_number":"SJ 1","deleted":true,"updated_at":1640244967}}`)
	}
	c := v.client(t, connectors.MemoryVault())
	for _, ref := range []OpportunityRef{{ID: "77"}, {SerialNumber: "SJ 1"}, {ID: "77", SerialNumber: "old"}} {
		d, err := c.Opportunity(t.Context(), ref)
		if err != nil || d.Value.ID != "77" || !d.Value.Deleted || d.UpdatedAt.Unix() != 1640244967 {
			t.Errorf("%+v: %+v, %v", ref, d, err)
		}
		if q := v.queries[len(v.queries)-1]; q.Has("id") == q.Has("serial_number") {
			t.Errorf("%+v asked for %v", ref, q)
		}
	}
	if _, err := c.Opportunity(t.Context(), OpportunityRef{SerialNumber: "SJ 2"}); events.KindOf(err) != events.Invalid {
		t.Errorf("an answer about another one: %v", err)
	}
	if _, err := c.Opportunity(t.Context(), OpportunityRef{}); events.KindOf(err) != events.Invalid {
		t.Errorf("asked for nothing: %v", err)
	}
}

// Every way in which an answer can be wrong has its kind, and no error holds a
// secret, a token or a URL, in whichever words Weiban quotes them.
func TestAnswersAndTheirKinds(t *testing.T) {
	status := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text)
		}
	}
	order := func(member string) http.HandlerFunc { return saying(`{"errcode":0,"errmsg":"ok",` + member + `}`) }
	quoting := func(w http.ResponseWriter, r *http.Request) {
		say(w, `{"errcode":22305,"errmsg":"no: http://`+r.Host+r.URL.RequestURI()+` `+r.URL.Query().Get("access_token")+` `+secret+`"}`)
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"errcode":0,"work_order":{"order_no":"`+orderNo)
	}
	reset := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	tests := []struct {
		name   string
		answer http.HandlerFunc
		kind   events.Kind
		code   string
		wait   time.Duration
	}{
		{"unknown order", saying(`{"errcode":22301,"errmsg":"order_no非法"}`), events.Missing, "22301", 0},
		{"code as text", saying(`{"errcode":"22301","errmsg":null}`), events.Missing, "22301", 0},
		{"code with a bad status", status(519, `{"errcode":22301}`), events.Missing, "22301", 0},
		{"parameter", saying(`{"errcode":10049,"errmsg":"x"}`), events.Rejected, "10049", 0},
		{"concurrency", saying(`{"errcode":10052,"errmsg":"x"}`), events.Throttled, "10052", time.Second},
		{"frequency", saying(`{"errcode":10053,"errmsg":"x"}`), events.Throttled, "10053", time.Minute},
		{"unlisted general", saying(`{"errcode":10099,"errmsg":"x"}`), events.Unavailable, "10099", 0},
		{"unlisted business", saying(`{"errcode":22399,"errmsg":"x"}`), events.Rejected, "22399", 0},
		{"unlisted other", saying(`{"errcode":61234,"errmsg":"x"}`), events.Rejected, "61234", 0},
		{"unlisted other with 500", status(500, `{"errcode":61234,"errmsg":"x"}`), events.Unavailable, "61234", 0},
		{"quoting all it knows", quoting, events.Rejected, "22305", 0},
		{"429", status(429, "slow down"), events.Throttled, "", 7 * time.Second},
		{"429 with an unlisted code", status(429, `{"errcode":61234}`), events.Throttled, "61234", 7 * time.Second},
		{"500 that says ok", status(500, `{"errcode":0,"work_order":{"order_no":"`+orderNo+`"}}`), events.Unavailable, "", 0},
		{"502 page", status(502, "<html>Bad Gateway "+secret+"</html>"), events.Unavailable, "", 0},
		{"page with 200", status(200, "<!doctype html>"), events.Unavailable, "", 0},
		{"nothing", status(200, ""), events.Unavailable, "", 0},
		{"no code and no order", saying(`{"errmsg":"ok","work_order":{}}`), events.Unavailable, "", 0},
		{"no code and an error's words", saying(`{"errmsg":"系统繁忙","work_order":{"order_no":"` + orderNo + `"}}`), events.Unavailable, "", 0},
		{"code empty", saying(`{"errcode":"","work_order":{"order_no":"` + orderNo + `"}}`), events.Unavailable, "", 0},
		{"code false", saying(`{"errcode":false,"work_order":{"order_no":"` + orderNo + `"}}`), events.Unavailable, "", 0},
		{"code with a fraction", saying(`{"errcode":0.5,"work_order":{"order_no":"` + orderNo + `"}}`), events.Unavailable, "", 0},
		{"two codes", saying(`{"errcode":0,"ErrCode":10099,"work_order":{"order_no":"` + orderNo + `"}}`), events.Unavailable, "", 0},
		{"code as text with a point", saying("\ufeff" + `{"errcode":" 22301.0 ","errmsg":""}`), events.Missing, "22301", 0},
		{"code null", saying(`{"errcode":null}`), events.Unavailable, "", 0},
		{"code an object", saying(`{"errcode":{}}`), events.Unavailable, "", 0},
		{"a list", saying(`[]`), events.Unavailable, "", 0},
		{"two orders", order(`"work_order":{"order_no":"1"},"work_order":{"order_no":"` + orderNo + `"}`), events.Unavailable, "", 0},
		{"cut off", cut, events.Unavailable, "", 0},
		{"half a document", saying(`{"errcode":0,"work_order":{"order_no":"` + orderNo), events.Unavailable, "", 0},
		{"reset", reset, events.Unavailable, "", 0},
		{"10 MB", saying(strings.Repeat(" ", 10<<20)), events.Unavailable, "", 0},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String()+"&x=1", http.StatusFound)
		}, events.Unavailable, "", 0},
		{"ok and nothing", saying(`{"errcode":0,"errmsg":"ok"}`), events.Unavailable, "", 0},
		{"ok and null", order(`"work_order":null`), events.Unavailable, "", 0},
		{"ok and empty", order(`"work_order":{}`), events.Unavailable, "", 0},
		{"ok and PHP's empty object", order(`"work_order":[]`), events.Unavailable, "", 0},
		{"ok and an empty text", order(`"work_order":""`), events.Unavailable, "", 0},
		{"ok and a list", order(`"work_order":[1]`), events.Invalid, "", 0},
		{"another order", order(`"work_order":{"order_no":"1471808049579560961"}`), events.Invalid, "", 0},
		{"another number", order(`"work_order":{"order_no":1471808049579562000}`), events.Invalid, "", 0},
		{"another order's number as text, rounded", order(`"work_order":{"order_no":"1471808049579561000"}`), events.Invalid, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVendor(t)
			v.answers[APIWorkOrder] = tt.answer
			d, err := v.client(t, connectors.MemoryVault()).WorkOrder(t.Context(), orderNo)
			f := events.FailureOf(err)
			if f == nil || f.Kind != tt.kind || f.Code != tt.code || f.API != "weiban workorder/detail" || d.Raw != nil {
				t.Fatalf("got %+v, want %s %s", f, tt.kind, tt.code)
			}
			if tt.wait != 0 && f.Wait != tt.wait {
				t.Errorf("wait %v, want %v", f.Wait, tt.wait)
			}
			clean(t, v, err)
		})
	}
}

func TestTokenIsRenewedOnceForAll(t *testing.T) {
	v := newVendor(t)
	v.answers[APIWorkOrder] = example(t, "work_order.json")
	vault := connectors.MemoryVault()
	clients := []*Client{v.client(t, vault), v.client(t, vault)} // two processes
	for _, c := range clients {
		if _, err := c.WorkOrder(t.Context(), orderNo); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.count("access_token/get"); n != 1 {
		t.Fatalf("%d tokens fetched by two processes, want one", n)
	}
	// The vendor forgets the token, while twenty calls of both are about to use it.
	v.mu.Lock()
	v.good = func(token string) bool { return token != "t0ken-1/+==" }
	v.mu.Unlock()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := clients[i%2].WorkOrder(t.Context(), orderNo); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := v.count("access_token/get"); n != 2 {
		t.Errorf("%d tokens fetched, want one more", n)
	}
}

func TestTokenRefusedTwiceIsDenied(t *testing.T) {
	for _, code := range []string{"10001", "40001", "40014", "42001"} {
		v := newVendor(t)
		v.good = func(string) bool { return true }
		v.answers[APIWorkOrder] = saying(`{"errcode":` + code + `,"errmsg":"access_token t0ken-1/+== t0ken-2%2F%2B%3D%3D"}`)
		_, err := v.client(t, connectors.MemoryVault()).WorkOrder(t.Context(), orderNo)
		if f := events.FailureOf(err); f == nil || f.Kind != events.Denied || f.Code != code {
			t.Errorf("%s: %v", code, err)
		}
		if v.count(APIWorkOrder) != 2 || v.count("access_token/get") != 2 {
			t.Errorf("%s: calls %v, want one refresh and one more try", code, v.calls)
		}
	}
}

func TestTokenAnswersAndTheirKinds(t *testing.T) {
	for text, want := range map[string]events.Kind{
		`{"errcode":10001,"errmsg":"secret ` + secret + `"}`:                   events.Denied,
		`{"errcode":10049,"errmsg":"corp_id"}`:                                 events.Denied,
		`{"errcode":10077,"errmsg":"x"}`:                                       events.Denied,
		`{"errcode":20999,"errmsg":"x"}`:                                       events.Denied,
		`{"errcode":10053,"errmsg":"x"}`:                                       events.Throttled,
		`{"errcode":0,"errmsg":"ok"}`:                                          events.Unavailable,
		`{"errcode":0,"access_token":""}`:                                      events.Unavailable,
		`{"errcode":0,"access_token":"t0ken a"}`:                               events.Unavailable,
		`{"errcode":0,"access_token":{"t0ken":1}}`:                             events.Unavailable,
		`{"errcode":0,"access_token":"` + strings.Repeat("t0ken", 1000) + `"}`: events.Unavailable,
		`<html>`: events.Unavailable,
		`{"errcode":0,"access_token":"t0ken-0/+==","expires_in":"100"}`:                "",
		`{"errcode":0,"access_token":"t0ken-0/+=="}`:                                   "",
		`{"errcode":0,"access_token":"t0ken-0/+==","expires_in":99999999999999999999}`: events.Unavailable,
	} {
		v := newVendor(t)
		v.answers["access_token/get"] = saying(text)
		v.answers[APIWorkOrder] = example(t, "work_order.json")
		_, err := v.client(t, connectors.MemoryVault()).WorkOrder(t.Context(), orderNo)
		if events.KindOf(err) != want {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
		if want != "" {
			clean(t, v, err)
			if v.count(APIWorkOrder) != 0 {
				t.Errorf("%.60s: called without a token", text)
			}
		}
	}
}

func TestCallsThatNeverLeave(t *testing.T) {
	v := newVendor(t)
	c := v.client(t, connectors.MemoryVault())
	if _, err := c.WorkOrder(t.Context(), ""); events.KindOf(err) != events.Invalid {
		t.Errorf("no order number: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.WorkOrder(ctx, orderNo); events.KindOf(err) != events.Interrupted {
		t.Errorf("cancelled: %v", err)
	}
	v.Close()
	_, err := v.client(t, connectors.MemoryVault()).WorkOrder(t.Context(), orderNo)
	if events.KindOf(err) != events.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	clean(t, v, err)
	bad := New(Options{BaseURL: "http://[" + secret, CorpID: corp, Secret: secret, Account: accounttest.New(t, connectors.AccountOptions{Vendor: "weiban"}), Vault: connectors.MemoryVault()})
	_, err = bad.WorkOrder(t.Context(), orderNo)
	if events.KindOf(err) != events.Internal {
		t.Errorf("bad base URL: %v", err)
	}
	clean(t, v, err)
	if text := fmt.Sprintf("%v %+v %#v %s", bad, bad, bad, bad); strings.Contains(text, secret) {
		t.Errorf("the client prints its secret: %s", text)
	}
}

func TestStaffReadsEveryPage(t *testing.T) {
	v := newVendor(t)
	empties := 2
	v.answers[APIStaffList] = func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("limit") != "100" || q.Get("fields") != `["department"]` {
			t.Errorf("query %v", q)
		}
		rows := []string{}
		switch q.Get("offset") {
		case "0":
			for i := range 100 {
				rows = append(rows, fmt.Sprintf(`{"id":"staff-%d","name":"张%d","mobile":null,"department":["7"],"status":1}`, i, i))
			}
		case "100":
			if empties--; empties < 0 {
				rows = append(rows, `{"id":"staff-99"}`, `{"id":"staff-100"}`)
			}
		default:
			t.Errorf("offset %s", q.Get("offset"))
		}
		say(w, `{"errcode":0,"errmsg":"ok","total":102,"staff_list":[`+strings.Join(rows, ",")+`]}`)
	}
	c := v.client(t, connectors.MemoryVault())
	all, err := c.Staff(t.Context())
	if err != nil || len(all) != 101 || all[3].Name != "张3" || all[3].Department[0] != "7" || all[100].ID != "staff-100" {
		t.Fatalf("%d staff, %v", len(all), err)
	}
	for text, want := range map[string]events.Kind{
		`"total":0,"staff_list":[]`:               "",
		`"total":0`:                               "",
		`"total":5,"staff_list":null`:             events.Unavailable,
		`"staff_list":[]`:                         events.Invalid,
		`"total":-1,"staff_list":[]`:              events.Invalid,
		`"total":1,"staff_list":{}`:               events.Invalid,
		`"total":1,"staff_list":[{"status":"x"}]`: events.Invalid,
	} {
		v.mu.Lock()
		v.answers[APIStaffList] = saying(`{"errcode":0,` + text + `}`)
		v.mu.Unlock()
		if _, err := c.Staff(t.Context()); events.KindOf(err) != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// The table lists what the pages list, and each verdict is one that a read can
// have.
func TestCodeTable(t *testing.T) {
	for code, kind := range map[int64]events.Kind{
		10001: events.Denied, 10049: events.Rejected, 10052: events.Throttled, 10053: events.Throttled,
		20201: events.Rejected, 20203: events.Rejected, 20206: events.Rejected, 20208: events.Rejected, 22101: events.Rejected,
		22201: events.Missing, 22203: events.Rejected, 22301: events.Missing, 22302: events.Rejected, 22303: events.Rejected,
		22304: events.Rejected, 22305: events.Rejected, 22307: events.Rejected, 22309: events.Rejected, 22310: events.Rejected,
		22311: events.Rejected, 22312: events.Rejected, 22313: events.Rejected, 223014: events.Rejected, 22315: events.Rejected,
		22316: events.Rejected, 22317: events.Rejected, 22318: events.Rejected,
	} {
		body, err := json.Marshal(map[string]any{"errcode": code, "errmsg": "说明"})
		if err != nil {
			t.Fatal(err)
		}
		f, known := judge(connectors.Answer{Status: 200, Body: body}, "")
		if !known || f == nil || f.Kind != kind || !strings.HasSuffix(f.Reason, ": 说明") {
			t.Errorf("%d: %+v, known %v", code, f, known)
		}
	}
	for _, code := range []string{"10099", "22306", "22308", "-1", "99999"} {
		if _, known := judge(connectors.Answer{Status: 200, Body: []byte(`{"errcode":` + code + `}`)}, ""); known {
			t.Errorf("%s is said to be known", code)
		}
	}
}
