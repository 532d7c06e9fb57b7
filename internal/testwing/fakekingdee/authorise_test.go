package fakekingdee

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The published values come out of this package's own arithmetic.
func TestKnownAnswers(t *testing.T) {
	var v struct {
		AuthorityInfo struct {
			Cases []struct {
				AccessToken   string `json:"access_token"`
				UserID        string `json:"user_id"`
				AuthorityInfo string `json:"authority_info"`
			}
		} `json:"authority_info"`
		AppSignature struct {
			AppKey       string `json:"app_key"`
			AppSecret    string `json:"app_secret"`
			AppSignature string `json:"app_signature"`
		} `json:"app_signature"`
		GatewaySignature struct {
			ClientSecret string `json:"client_secret"`
			Method, Path string
			Query        map[string]string
			Nonce        string
			Timestamp    string
			Signature    string `json:"x_api_signature"`
		} `json:"gateway_signature"`
	}
	if err := json.Unmarshal(readFile(t, "auth.json"), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.AuthorityInfo.Cases) != 2 {
		t.Fatalf("%d cases of authority_info", len(v.AuthorityInfo.Cases))
	}
	for _, c := range v.AuthorityInfo.Cases {
		if got := authorityInfo(c.AccessToken, c.UserID); got != c.AuthorityInfo {
			t.Errorf("authority_info %s, want %s", got, c.AuthorityInfo)
		}
	}
	if got := appSignature(v.AppSignature.AppKey, v.AppSignature.AppSecret); got != v.AppSignature.AppSignature {
		t.Errorf("app_signature %s, want %s", got, v.AppSignature.AppSignature)
	}
	q, g := url.Values{}, v.GatewaySignature
	for k, w := range g.Query {
		q.Set(k, w)
	}
	words, err := canonical(g.Method, g.Path, q.Encode(), g.Nonce, g.Timestamp)
	if err != nil {
		t.Fatal(err)
	}
	if got := hexMAC(g.ClientSecret, words); got != g.Signature {
		t.Errorf("gateway signature %s, want %s, over %q", got, g.Signature, words)
	}
}

func TestCanonicalTextEncodesTwice(t *testing.T) {
	got, err := canonical("GET", "/a/b", "k=x%3D%20y~&b=1", "n", "t")
	if want := "GET\n%2Fa%2Fb\nb=1&k=x%253D%2520y~\nx-api-nonce:n\nx-api-timestamp:t\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got, _ := canonical("POST", "/a", "", "n", "t"); got != "POST\n%2Fa\n\nx-api-nonce:n\nx-api-timestamp:t\n" {
		t.Errorf("without a query: %q", got)
	}
	if _, err := canonical("POST", "/a", "%zz", "n", "t"); err == nil {
		t.Error("a query that cannot be read was signed")
	}
}

func TestGatewaySignatureFaults(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	instance := url.Values{"outerInstanceId": {s.Account().OuterInstanceID}}
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	stamp := func(d time.Duration) string { return strconv.FormatInt(c.Now().Add(d).UnixMilli(), 10) }
	tests := map[string]struct {
		spoil func(http.Header)
		want  string
	}{
		"right":              {nil, "ok"},
		"headers turned":     {set("X-Api-SignHeaders", "X-Api-Nonce,X-Api-TimeStamp"), "ok"},
		"no version":         {set("X-Api-Auth-Version", ""), "519 4001"},
		"no client":          {set("X-Api-ClientID", ""), "519 4002"},
		"other client":       {set("X-Api-ClientID", "1"), "519 4003"},
		"no time":            {set("X-Api-TimeStamp", ""), "519 4006"},
		"old":                {set("X-Api-TimeStamp", stamp(-6*time.Minute)), "519 4006"},
		"of the future":      {set("X-Api-TimeStamp", stamp(6*time.Minute)), "519 4006"},
		"other time":         {set("X-Api-TimeStamp", stamp(time.Second)), "519 4008"},
		"no sign headers":    {set("X-Api-SignHeaders", ""), "519 4007"},
		"no nonce":           {set("X-Api-Nonce", ""), "519 4007"},
		"other nonce":        {set("X-Api-Nonce", "1"), "519 4008"},
		"signature of bytes": {set("X-Api-Signature", "kb6bQbI6onxaeIAo3nH16elVZeTFol8hz5oH32i1DVE="), "519 4008"},
	}
	for name, tt := range tests {
		if got := verdict(do(s, signed(s, http.MethodPost, APIAuthorise, instance, tt.spoil))); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	if got := verdict(do(s, signed(s, http.MethodPost, APIAuthorise, url.Values{"outerInstanceId": {"x"}}, nil))); got == "ok" {
		t.Error("another instance was authorised")
	}
}

func TestAuthorisationInfo(t *testing.T) {
	for _, codeEnvelope := range []bool{false, true} {
		s := newServer(t, Options{CodeEnvelope: codeEnvelope, Decoys: true})
		_, a := authorise(s)
		want := map[string]string{"errcode": "0", "code": ""}
		if codeEnvelope {
			want = map[string]string{"errcode": "", "code": "200"}
		}
		if got := map[string]string{"errcode": text(a["errcode"]), "code": text(a["code"])}; !cmp.Equal(got, want) {
			t.Errorf("envelope %v, want %v", got, want)
		}
		data, mine := a["data"].([]any), s.Account()
		if len(data) != 3 {
			t.Fatalf("%d account sets", len(data))
		}
		effective := 0
		for i, e := range data {
			set := e.(map[string]any)
			if set["accountId"] == mine.AccountID && text(set["status"]) == "1" {
				effective++
				if i == 0 || set["groupName"] != mine.GroupName || set["appSecret"] != mine.AppSecret || set["domain"] != mine.Domain || set["appKey"] != mine.AppKey {
					t.Errorf("our account set is %v", set)
				}
			}
		}
		if effective != 1 {
			t.Errorf("%d account sets are ours and effective", effective)
		}
	}
}

func TestAuthTokenAndItsLimit(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	_, a := authToken(s)
	data := a["data"].(map[string]any)
	token := data["access_token"].(string)
	ends := strconv.FormatInt(c.Now().Add(24*time.Hour).UnixMilli(), 10)
	if len(token) != 32 || token[:10] != "1752717600" || text(data["uid"]) != "10102023" || data["app-token"] == "" || text(data["expires"]) != ends {
		t.Errorf("token answer %v", data)
	}
	if got := verdict(authToken(s)); got != "ok" {
		t.Errorf("the second in the minute: %s", got)
	}
	if got := verdict(authToken(s)); got != "519 5007" {
		t.Errorf("the third in the minute: %s", got)
	}
	c.Advance(time.Minute)
	if got := verdict(authToken(s)); got != "ok" {
		t.Errorf("a minute later: %s", got)
	}
	if diff := cmp.Diff([]Breach{{At: c.Now().Add(-time.Minute), API: APIToken}}, s.Breaches()); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
	if s.TokensIssued() != 3 {
		t.Errorf("%d tokens", s.TokensIssued())
	}
	q := url.Values{"app_key": {"other"}, "app_signature": {"x"}}
	if got := verdict(do(s, signed(s, http.MethodGet, APIToken, q, nil))); got != "200 1030002001" {
		t.Errorf("another app key: %s", got)
	}
}

func TestSecretRotates(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now, SecretLife: 24 * time.Hour, OmitExpires: true, Limits: Limits{PerMinute: 500, TokensPerMinute: 100, Minute: time.Minute}})
	old := s.Account()
	with := func(secret string) string {
		q := url.Values{"app_key": {old.AppKey}, "app_signature": {appSignature(old.AppKey, secret)}}
		return verdict(do(s, signed(s, http.MethodGet, APIToken, q, nil)))
	}
	if got := with(old.AppSecret); got != "ok" {
		t.Errorf("before: %s", got)
	}
	c.Advance(24 * time.Hour)
	if got := with(old.AppSecret); got != "200 1030002006" {
		t.Errorf("after a day: %s", got)
	}
	_, a := authorise(s)
	fresh := a["data"].([]any)[0].(map[string]any)["appSecret"].(string)
	if len(fresh) != 40 || with(fresh) != "ok" {
		t.Errorf("the secret that the authorisation gives, %q, does not work", fresh)
	}
	s.RotateSecret()
	if got := with(fresh); got != "200 1030002006" {
		t.Errorf("rotated by hand: %s", got)
	}
	_, a = authToken(s)
	if _, told := a["data"].(map[string]any)["expires"]; told {
		t.Error("expires was told")
	}
}

func TestWhoeverCallsMustBeRight(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now})
	list := []byte(`{"entityName":"wg_deal_record"}`)
	set := func(name, value string) func(*caller) { return func(c *caller) { c.header.Set(name, value) } }
	query := func(name, value string) func(*caller) { return func(c *caller) { c.query.Set(name, value) } }
	other := s.NewToken()
	tests := map[string]struct {
		spoil func(*caller)
		want  string
	}{
		"right":                     {func(*caller) {}, "ok"},
		"right, with charset":       {set("Content-Type", "application/json;charset=UTF-8"), "ok"},
		"no token":                  {query("access_token", ""), "519 4009"},
		"unknown token":             {query("access_token", "x"), "519 4010"},
		"no router address":         {set("X-GW-Router-Addr", ""), "404"},
		"router without its scheme": {set("X-GW-Router-Addr", "tf.jdy.com"), "404"},
		"other account":             {set("accountId", "1"), "519 4012"},
		"other group":               {set("groupName", "ns-f51c"), "200 11010001"},
		"no user":                   {set("Appuserid", ""), "200 error"},
		"other user":                {set("Appuserid", "1"), "200 error"},
		"no authority":              {query("authority_info", ""), "200 error"},
		"authority of other token":  {query("access_token", other), "200 error"},
		"form":                      {set("Content-Type", "text/plain"), "200 error"},
	}
	for name, tt := range tests {
		c := newCaller(s)
		tt.spoil(c)
		if got := verdict(c.post(APIList, list)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		if got := verdict(c.post(APIHandle, order(pageBill(), name))); got != tt.want {
			t.Errorf("%s, handle-order: %s, want %s", name, got, tt.want)
		}
	}
	if n := len(s.Records("")); n != 2 {
		t.Errorf("%d records of two right calls", n)
	}
	for _, body := range []string{"", "[]", `{"entityName":`, "null"} {
		if got := verdict(newCaller(s).post(APIList, []byte(body))); got != "200 error" {
			t.Errorf("body %q: %s", body, got)
		}
	}
}

func TestTokensEnd(t *testing.T) {
	c := newClock()
	s := newServer(t, Options{Clock: c.Now, KillOldToken: true})
	me := func(c *caller) string { return verdict(c.post(APIUser, []byte("{}"))) }
	first := newCaller(s)
	if got := me(first); got != "ok" {
		t.Errorf("a fresh token: %s", got)
	}
	second := newCaller(s)
	if got := me(first); got != "519 4011" {
		t.Errorf("the token before: %s", got)
	}
	c.Advance(24*time.Hour - 1)
	if got := me(second); got != "ok" {
		t.Errorf("at the end of its life: %s", got)
	}
	c.Advance(1)
	if got := me(second); got != "519 4011" {
		t.Errorf("after its life: %s", got)
	}
	third := newCaller(s)
	s.ExpireTokens()
	if got := me(third); got != "519 4011" {
		t.Errorf("expired: %s", got)
	}
	fourth := newCaller(s)
	group := s.MoveGroup()
	if got := me(fourth); got != "200 11010001" {
		t.Errorf("moved: %s", got)
	}
	fourth.header.Set("groupName", group)
	if got := me(fourth); got != "ok" || group == "ns-v7g6" {
		t.Errorf("in the new group %s: %s", group, got)
	}
}

func TestCurrentUserShapes(t *testing.T) {
	for shape, id := range map[UserShape]func(map[string]any) any{
		UserInData: func(a map[string]any) any { return a["data"].(map[string]any)["id"] },
		UserNumber: func(a map[string]any) any { return a["data"].(map[string]any)["id"] },
		UserAtTop:  func(a map[string]any) any { return a["id"] },
	} {
		s := newServer(t, Options{UserShape: shape})
		_, a := newCaller(s).post(APIUser, []byte("{}"))
		_, number := id(a).(json.Number)
		if text(id(a)) != "10102023" || number != (shape == UserNumber) {
			t.Errorf("shape %d: %v", shape, a)
		}
	}
}
