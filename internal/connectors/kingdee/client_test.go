package kingdee

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/connectortest"
)

var fresh = []string{"push_app_authorize", "kingdee_auth_token"}

const handleName = "wg_handleBillBusinessApi"

// TestHandleOrderRequest: headers, query and body are those of the vendor's page.
func TestHandleOrderRequest(t *testing.T) {
	g := newGateway(t)
	c := g.client(func(o *Options) { o.UserID = "10102023" })
	got, err := c.HandleOrder(t.Context(), pageOrder())
	if err != nil || got.Message != "操作成功" || time.Since(got.At) > time.Minute {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"push_app_authorize", "kingdee_auth_token", handleName}, g.took()); diff != "" {
		t.Error(diff)
	}
	page, err := os.ReadFile("testdata/handle-order.json")
	if err != nil {
		t.Fatal(err)
	}
	var want, sent any
	if err := json.Unmarshal(page, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(g.bodies[2]), &sent); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
	h := g.headers[2]
	token := tokenSecret + "1"
	for name, value := range map[string]string{
		"Content-Type": "application/json", "groupName": "ns-1", "accountId": accountID, "X-GW-Router-Addr": "https://tf.jdy.com",
		"Appuserid": "10102023", "access_token": token, "X-Api-Signature": "",
	} {
		if got := h.Get(name); got != value {
			t.Errorf("header %s = %q, want %q", name, got, value)
		}
	}
	// Base64's + and / are encoded, once.
	if strings.ContainsAny(g.queries[2], "+/") || !strings.HasPrefix(g.queries[2], "access_token="+token+"&authority_info=") {
		t.Errorf("query %s", g.queries[2])
	}
}

// TestRenewal: for which answers a session is renewed, what that takes, and that
// the call is then made once more and not again.
func TestRenewal(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*gateway)
		calls []string
		want  events.Kind
	}{
		{"token no longer valid", func(g *gateway) { g.token++ }, append(slices.Clone(fresh), handleName), ""},
		{"group moved", func(g *gateway) { g.group = "ns-2" }, append(slices.Clone(fresh), handleName), ""},
		{"refused for ever", func(g *gateway) { g.on(handleName, always(519, `{"errcode":4011}`)) }, append(slices.Clone(fresh), handleName), events.Denied},
		{"401 for ever", func(g *gateway) { g.on(handleName, always(401, ``)) }, append(slices.Clone(fresh), handleName), events.Denied},
		{"no route for ever", func(g *gateway) { g.on(handleName, always(404, `No Route`)) }, append(slices.Clone(fresh), handleName), events.Denied},
		{"no permission", func(g *gateway) { g.on(handleName, always(519, `{"errcode":4012}`)) }, nil, events.Denied},
		{"perhaps a token", func(g *gateway) {
			g.on(handleName, always(200, `{"success":false,"errorCode":"9","message":"token?"}`))
		}, nil, events.Rejected},
		{"may have run", func(g *gateway) { g.on(handleName, always(519, `{"errcode":5004}`)) }, nil, events.Uncertain},
		{"renewal refused", func(g *gateway) {
			g.on("kingdee_auth_token", always(519, `{"errcode":4012}`))
			g.token++
		}, fresh, events.Denied},
		{"renewal unreachable", func(g *gateway) {
			g.on("push_app_authorize", always(502, ``))
			g.token++
		}, fresh[:1], events.Unavailable},
		{"account no longer authorised", func(g *gateway) {
			g.on("push_app_authorize", always(200, `{"errcode":0,"data":[{"accountId":"7","status":1}]}`))
			g.token++
		}, fresh[:1], events.Denied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t)
			c := g.client(func(o *Options) { o.UserID = "10102023" })
			if _, err := c.HandleOrder(t.Context(), pageOrder()); err != nil {
				t.Fatal(err)
			}
			g.took()
			tc.spoil(g)
			_, err := c.HandleOrder(t.Context(), pageOrder())
			if got := events.KindOf(err); got != tc.want {
				t.Errorf("kind %q, want %q: %v", got, tc.want, err)
			}
			if diff := cmp.Diff(append([]string{handleName}, tc.calls...), g.took()); diff != "" {
				t.Error(diff)
			}
			connectortest.NoSecret(t, err, secrets()...)
		})
	}
}

// TestReadsMayGuess: a refusal that only names a token earns a read one renewal.
func TestReadsMayGuess(t *testing.T) {
	g := newGateway(t)
	c := g.client(nil)
	g.on("loadList", always(200, `{"success":false,"errorCode":"9","message":"请重新登录"}`))
	_, err := c.FindWorkOrder(t.Context(), "fwgs-1")
	user := "get_current_user_info"
	want := []string{"push_app_authorize", "kingdee_auth_token", user, "loadList", "push_app_authorize", "kingdee_auth_token", user, "loadList"}
	if diff := cmp.Diff(want, g.took()); diff != "" || events.KindOf(err) != events.Rejected {
		t.Errorf("%v %s", err, diff)
	}
}

// TestSecretRotated: the app secret is rotated between the two calls of a fetch.
// The authorization info is read once more, and not again.
func TestSecretRotated(t *testing.T) {
	for _, every := range []bool{false, true} {
		g := newGateway(t)
		rotations := 0
		g.on("push_app_authorize", func(w http.ResponseWriter, r *http.Request) {
			g.authorize(w, r)
			if rotations == 0 || every {
				rotations++
				g.secret = fmt.Sprint("rotated-", rotations)
			}
		})
		c := g.client(func(o *Options) { o.UserID = "10102023" })
		_, err := c.HandleOrder(t.Context(), pageOrder())
		want, kind := append(slices.Concat(fresh, fresh), handleName), events.Kind("")
		if every {
			want, kind = want[:4], events.Denied
		}
		if diff := cmp.Diff(want, g.took()); diff != "" || events.KindOf(err) != kind {
			t.Errorf("rotated at every call %v: %v %s", every, err, diff)
		}
	}
}

// TestProcessesShareASession: many calls in two processes that find their token
// dead make one new session, which both then use; the vault holds no secret.
func TestProcessesShareASession(t *testing.T) {
	g := newGateway(t)
	inner := connectors.MemoryVault()
	vault, err := connectors.Sealed(inner, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	var cs []*Client
	for range 2 {
		cs = append(cs, g.client(func(o *Options) { o.Vault, o.UserID = vault, "10102023" }))
	}
	round := func() {
		var wg sync.WaitGroup
		for _, c := range cs {
			for range 6 {
				wg.Go(func() {
					if _, err := c.HandleOrder(t.Context(), pageOrder()); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
	}
	round()
	g.token++
	g.took()
	round()
	n := make(map[string]int)
	for _, call := range g.took() {
		n[call]++
	}
	if n["kingdee_auth_token"] != 1 || n["push_app_authorize"] != 1 || n[handleName] < 13 || n[handleName] > 24 {
		t.Errorf("calls %v", n)
	}
	b, _, err := inner.Load(t.Context(), "kingdee."+accountID)
	if err != nil || strings.Contains(string(b), tokenSecret) {
		t.Errorf("the vault holds %q, %v", b, err)
	}
}

// TestStatic: a token that the tenant brings is used as it is and never renewed.
func TestStatic(t *testing.T) {
	g := newGateway(t)
	c := g.client(func(o *Options) {
		o.Static = &Static{AccessToken: tokenSecret + "0", GroupName: "ns-1", Domain: "https://tf.jdy.com"}
	})
	if _, err := c.HandleOrder(t.Context(), pageOrder()); err != nil {
		t.Fatal(err)
	}
	g.token++
	_, err := c.HandleOrder(t.Context(), pageOrder())
	if events.KindOf(err) != events.Denied || events.FailureOf(err).Code != "4010" {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"get_current_user_info", handleName, handleName}, g.took()); diff != "" {
		t.Error(diff)
	}
}

// TestSessionsEnd: the vendor's own end counts where it is sooner than ours.
func TestSessionsEnd(t *testing.T) {
	soon := time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC()
	for _, tc := range []struct {
		expires string
		want    time.Duration
	}{
		{fmt.Sprint(soon.UnixMilli()), time.Until(soon)},
		{`"` + fmt.Sprint(soon.UnixMilli()) + `"`, time.Until(soon)},
		{fmt.Sprint(soon.Add(1000 * time.Hour).UnixMilli()), 20 * time.Hour},
		{"0", 20 * time.Hour},
		{"null", 20 * time.Hour},
	} {
		g := newGateway(t)
		g.on("kingdee_auth_token", always(200, `{"errcode":0,"data":{"access_token":"`+tokenSecret+`1","expires":`+tc.expires+`}}`))
		c := g.client(func(o *Options) { o.UserID = "1" })
		s, err := c.session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Until(s.Expires); got > tc.want || got < tc.want-time.Minute {
			t.Errorf("expires %s: ends in %v, want %v", tc.expires, got, tc.want)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.LogValue()); strings.Contains(text, tokenSecret) {
			t.Errorf("a session prints its token: %s", text)
		}
	}
}

// TestSame: only the end may differ between two sessions that fare alike.
func TestSame(t *testing.T) {
	a := snapshot{"t", "g", "d", "a", "u", "i", time.Now()}
	if b := (snapshot{"t", "g", "d", "a", "u", "i", time.Now().Add(time.Hour)}); !same(a, b) {
		t.Error("another end makes another session")
	}
	for n := range 6 {
		b := a
		*[]*string{&b.AccessToken, &b.GroupName, &b.Domain, &b.AccountID, &b.UserID, &b.AuthorityInfo}[n] = "x"
		if same(a, b) {
			t.Errorf("a difference in member %d is not seen", n)
		}
	}
}

// TestBadSettings: they show as failures of the first call, and quote nothing.
func TestBadSettings(t *testing.T) {
	g := newGateway(t)
	for name, change := range map[string]func(*Options){
		"base URL":   func(o *Options) { o.BaseURL = "ftp://" + clientSecret },
		"no account": func(o *Options) { o.Account = nil },
		"bad key":    func(o *Options) { o.UserID, o.AuthorityKey = "1", "short" },
		"bad vault":  func(o *Options) { o.Vault = brokenVault{} },
	} {
		want := events.Internal
		if name == "bad vault" {
			want = events.Unavailable
		}
		_, err := g.client(change).HandleOrder(t.Context(), pageOrder())
		if got := events.KindOf(err); got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		connectortest.NoSecret(t, err, secrets()...)
	}
	for _, o := range []HandleOrder{{Body: Body{OrderNo: "x"}}, {ID: "1"}, {ID: "1", Body: Body{OrderNo: "x", Hours: "ten"}}} {
		if _, err := g.client(nil).HandleOrder(t.Context(), o); events.KindOf(err) != events.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

type brokenVault struct{ connectors.Vault }

func (brokenVault) Load(context.Context, string) ([]byte, uint64, error) {
	return nil, 0, fmt.Errorf("get https://nats?token=%s", clientSecret)
}

// TestFaults is the suite that every client stands, for a write, a read, and each
// call for credentials.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		write bool
		call  func(*Client, context.Context) error
	}{
		{handleName, true, func(c *Client, ctx context.Context) error { _, err := c.HandleOrder(ctx, pageOrder()); return err }},
		{"loadList", false, func(c *Client, ctx context.Context) error { _, err := c.DealRecords(ctx, "fwgs-1"); return err }},
		{"attachment_upload", false, func(c *Client, ctx context.Context) error { _, err := c.Upload(ctx, picture()); return err }},
		{"push_app_authorize", false, func(c *Client, ctx context.Context) error { _, err := c.HandleOrder(ctx, pageOrder()); return err }},
		{"kingdee_auth_token", false, func(c *Client, ctx context.Context) error { _, err := c.FindWorkOrder(ctx, "fwgs-1"); return err }},
		{"get_current_user_info", false, func(c *Client, ctx context.Context) error { _, err := c.FindWorkOrderByID(ctx, "1"); return err }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			connectortest.Run(t, tc.write, secrets(), func(t *testing.T, serve http.HandlerFunc) func(context.Context) error {
				g := newGateway(t)
				g.on(tc.name, serve)
				c := g.client(nil)
				return func(ctx context.Context) error { return tc.call(c, ctx) }
			})
		})
	}
}
