package fakekingdee

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2025, 7, 17, 2, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// pageBill is the bill of the vendor's example.
func pageBill() Bill { return Bill{ID: "2230413444614467584", OrderNo: "fwgs-20250605-00000001"} }

// newServer has the page's bill and a second one.
func newServer(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = 1
	}
	s := New(o)
	s.AddBill(pageBill())
	s.AddBill(Bill{ID: "2230413444614467999", OrderNo: "fwgs-20250605-00000002", Customer: "李洋"})
	return s
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// caller makes right calls, which a test may spoil.
type caller struct {
	s      *Server
	token  string
	header http.Header
	query  url.Values
}

func newCaller(s *Server) *caller {
	a, token := s.Account(), s.NewToken()
	return &caller{s: s, token: token, header: http.Header{
		"Groupname": {a.GroupName}, "Accountid": {a.AccountID}, "X-Gw-Router-Addr": {a.Domain},
		"Appuserid": {a.UserID}, "Content-Type": {"application/json"},
	}, query: url.Values{"access_token": {token}, "authority_info": {authorityInfo(token, a.UserID)}}}
}

// path gives the address of an API.
func path(s *Server, api string) string {
	for p, r := range s.routes {
		if r.API == api {
			return p
		}
	}
	return "/" + api
}

func (c *caller) request(api, method string, body []byte) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, path(c.s, api)+"?"+c.query.Encode(), bytes.NewReader(body))
	r.Header = maps.Clone(c.header)
	return r
}

func (c *caller) post(api string, body []byte) (int, map[string]any) {
	return do(c.s, c.request(api, http.MethodPost, body))
}

func do(h http.Handler, r *http.Request) (int, map[string]any) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, object(w.Body.Bytes())
}

// verdict is an answer in short: "ok", or status and code.
func verdict(status int, a map[string]any) string {
	switch {
	case a == nil:
		return strconv.Itoa(status)
	case status == 200 && (a["success"] == true && a["errorCode"] == "success" || text(a["errcode"]) == "0" || text(a["code"]) == "200"):
		return "ok"
	case a["errcode"] != nil:
		return fmt.Sprintf("%d %s", status, text(a["errcode"]))
	}
	return fmt.Sprintf("%d %s", status, text(a["errorCode"]))
}

// order is a right handle-order of a bill, with a remark.
func order(b Bill, remark string) []byte {
	return changed(nil, func(top, body map[string]any) {
		top["id"], body["orderNo"], body["clsmid"] = b.ID, b.OrderNo, remark
	})
}

// changed is the page's example after a change; nil reads it anew.
func changed(page []byte, change func(top, body map[string]any)) []byte {
	if page == nil {
		b, err := os.ReadFile("testdata/handle-order-request.json")
		if err != nil {
			panic(err)
		}
		page = b
	}
	top := object(page)
	body := top["body_"].(map[string]any)
	change(top, body)
	out, err := json.Marshal(top)
	if err != nil {
		panic(err)
	}
	return out
}

// signed makes a signed jdyconnector call.
func signed(s *Server, method, api string, query url.Values, spoil func(http.Header)) *http.Request {
	a := s.Account()
	r := httptest.NewRequestWithContext(context.Background(), method, path(s, api)+"?"+query.Encode(), bytes.NewBufferString("{}"))
	stamp := strconv.FormatInt(s.o.Clock().UnixMilli(), 10)
	words, err := canonical(method, r.URL.Path, r.URL.RawQuery, "4427456950", stamp)
	if err != nil {
		panic(err)
	}
	for k, v := range map[string]string{
		"X-Api-ClientID": a.ClientID, "X-Api-Auth-Version": "2.0", "X-Api-TimeStamp": stamp, "X-Api-Nonce": "4427456950",
		"X-Api-SignHeaders": "X-Api-TimeStamp,X-Api-Nonce", "X-Api-Signature": hexMAC(a.ClientSecret, words),
	} {
		r.Header.Set(k, v)
	}
	if spoil != nil {
		spoil(r.Header)
	}
	return r
}

func authorise(s *Server) (int, map[string]any) {
	return do(s, signed(s, http.MethodPost, APIAuthorise, url.Values{"outerInstanceId": {s.Account().OuterInstanceID}}, nil))
}

func authToken(s *Server) (int, map[string]any) {
	a := s.Account()
	q := url.Values{"app_key": {a.AppKey}, "app_signature": {appSignature(a.AppKey, a.AppSecret)}}
	return do(s, signed(s, http.MethodGet, APIToken, q, nil))
}
