package kingdee

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/testwing/accounttest"
)

// Secrets of the tests; none may show anywhere.
const (
	clientSecret = "f2adcfef73369bfc4e1384677d38a0ff"
	appSecret    = "app-secret-40-hex"
	tokenSecret  = "1751589696b6fadec8ca66f4bff7eece"
	accountID    = "1683187060740048426"
)

// gateway is a Kingdee of raw JSON. Its answers to each path can be replaced.
type gateway struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	calls   []string // last path elements, in order
	handle  map[string]http.HandlerFunc
	token   int    // the tokens given out; the last one is valid
	group   string // the valid group
	secret  string // the valid app secret
	queries []string
	bodies  []string
	headers []http.Header
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, group: "ns-1", secret: appSecret, handle: make(map[string]http.HandlerFunc)}
	s := httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(s.Close)
	g.url = s.URL + "/prefix"
	return g
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	path, found := strings.CutPrefix(r.URL.Path, "/prefix/")
	if !found {
		g.t.Errorf("the base URL's path is lost: %s", r.URL.Path)
	}
	name := path[strings.LastIndex(path, "/")+1:]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.t.Error(err)
	}
	g.mu.Lock()
	g.calls = append(g.calls, name)
	g.queries, g.bodies, g.headers = append(g.queries, r.URL.RawQuery), append(g.bodies, string(body)), append(g.headers, r.Header)
	own := g.handle[name]
	g.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	switch {
	case own != nil:
		own(w, r)
	case name == "push_app_authorize":
		g.authorize(w, r)
	case name == "kingdee_auth_token":
		g.giveToken(w, r)
	case name == "get_current_user_info":
		say(w, 200, `{"success":true,"errorCode":"success","data":{"id":10102023,"name":"管理员"}}`)
	case g.refuse(w, r):
	case name == "loadList":
		say(w, 200, `{"success":true,"errorCode":"success","data":[]}`)
	default:
		say(w, 200, `{"data":"操作成功","errorCode":"success","status":true,"success":true}`)
	}
}

func (g *gateway) authorize(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("outerInstanceId") != "42" || r.Header.Get("X-Api-Signature") == "" {
		say(w, 519, `{"errcode":4008}`)
		return
	}
	entry := func(account, status, group string) string {
		return fmt.Sprintf(`{"accountId":%s,"status":%s,"groupName":%q,"domain":"tf.jdy.com","appKey":"bVZgAZOv","appSecret":%q}`, account, status, group, g.secret)
	}
	say(w, 200, fmt.Sprintf(`{"code":200,"msg":"ok","data":[%s,%s,%s]}`,
		entry(`"1111111111111111111"`, "1", "ns-other"), entry(`"`+accountID+`"`, "0", "ns-old"), entry(accountID, `"1"`, g.group)))
}

func (g *gateway) giveToken(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("app_signature") != appSignature("bVZgAZOv", g.secret) {
		say(w, 200, `{"errcode":1030002006,"description":"secret"}`)
		return
	}
	g.mu.Lock()
	g.token++
	token := fmt.Sprint(tokenSecret, g.token)
	g.mu.Unlock()
	say(w, 200, fmt.Sprintf(`{"errcode":0,"description":"ok","data":{"uid":10102023,"app-token":"a","access_token":%q}}`, token))
}

// refuse answers a business call whose session is not the valid one.
func (g *gateway) refuse(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	token, group := fmt.Sprint(tokenSecret, g.token), g.group
	g.mu.Unlock()
	info, err := authorityInfo(authorityKey, authorityIV, token, "10102023")
	if err != nil {
		g.t.Error(err)
	}
	switch {
	case r.Header.Get("groupName") != group:
		say(w, 200, `{"success":false,"errorCode":11010001,"message":"groupName"}`)
	case r.URL.Query().Get("access_token") != token || r.Header.Get("access_token") != token:
		say(w, 519, `{"errcode":4010,"descriptionCn":"令牌无效"}`)
	case r.URL.Query().Get("authority_info") != info:
		say(w, 200, `{"success":false,"errorCode":"99","message":"authority_info"}`)
	default:
		return false
	}
	return true
}

// on replaces the answer to a path.
func (g *gateway) on(name string, h http.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handle[name] = h
}

// took gives the calls since it was last asked.
func (g *gateway) took() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	calls := slices.Clone(g.calls)
	g.calls = nil
	return calls
}

func say(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func always(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { say(w, status, body) }
}

// The key and IV of authority_info are printed on the vendor's site and the same
// for everybody: they protect nothing.
const (
	authorityKey = "2c17e560c500f55c"
	authorityIV  = "5e8y6w45ju8w9jq8"
)

// paged makes a client read lists in smaller pages.
func (c *Client) paged(rows int) *Client {
	c.perPage = rows
	return c
}

// client is one of the bridge's processes.
func (g *gateway) client(change func(*Options)) *Client {
	account := accounttest.New(g.t, connectors.AccountOptions{Vendor: "kingdee"}) // not paced: that costs time
	g.t.Cleanup(account.Close)
	o := Options{
		BaseURL: g.url, AccountID: accountID, ClientID: "200001", ClientSecret: clientSecret, OuterInstanceID: "42",
		Account: account, PerMinute: 100, UploadPart: "file", UploadWithin: 30 * time.Second,
		AuthorityKey: authorityKey, AuthorityIV: authorityIV,
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// secrets is everything that must not show.
func secrets() []string {
	return []string{clientSecret, appSecret, tokenSecret, "authority_info=8", "%2B"}
}

// rows answers loadList by page, cut to allowed rows, from the given records.
func rows(t *testing.T, allowed int, records []string, wrap func(rows string, total int) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q struct{ PageIndex, PageSize int }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		size := min(q.PageSize, allowed)
		from := min((q.PageIndex-1)*q.PageSize, len(records))
		to := min(from+size, len(records))
		say(w, 200, wrap(strings.Join(records[from:to], ","), len(records)))
	}
}
