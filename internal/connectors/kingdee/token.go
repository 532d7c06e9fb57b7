package kingdee

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// Paths of the calls that obtain credentials.
const (
	pathAuthorize = "/jdyconnector/app_management/push_app_authorize"
	pathToken     = "/jdyconnector/app_management/kingdee_auth_token"
	pathUser      = "/weigusoft/basedata/get_current_user_info"
)

// authorization is what the app may use of one account set.
type authorization struct {
	appKey, appSecret string
	groupName, domain string
}

// authorize asks which account sets the app is authorised for, and takes the
// settings' one: with several, the first may be another company's books.
func (c *Client) authorize(ctx context.Context) (authorization, error) {
	query := url.Values{"outerInstanceId": {c.o.OuterInstanceID}}
	e, err := c.signed(ctx, APIAuthorize, http.MethodPost, pathAuthorize, query, nil)
	if err != nil {
		return authorization{}, err
	}
	list, ok := e.all["data"].([]any)
	if !ok {
		return authorization{}, unusable(APIAuthorize, "the list of account sets is missing")
	}
	for _, v := range list {
		account, _ := v.(map[string]any)
		if member(account, "accountId") != c.o.AccountID || member(account, "status") != "1" {
			continue
		}
		a := authorization{
			appKey: member(account, "appKey"), appSecret: member(account, "appSecret"),
			groupName: member(account, "groupName"), domain: member(account, "domain"),
		}
		if a.appKey == "" || a.appSecret == "" || a.groupName == "" || a.domain == "" {
			return authorization{}, unusable(APIAuthorize, "the account set's entry is not complete")
		}
		return a, nil
	}
	return authorization{}, unusable(APIAuthorize, "the app is not authorised for this account set, or no longer")
}

// unusable is a yes that gives no session: until that changes, no call of the
// tenant can be made.
func unusable(api, why string) *events.Failure {
	return &events.Failure{Kind: events.Denied, API: vendor + " " + api, Reason: why}
}

// token makes the one token call. The vendor's own end is believed where it is
// sooner than the settings' life.
func (c *Client) token(ctx context.Context, info authorization) (string, time.Time, error) {
	query := url.Values{
		"app_key":       {info.appKey},
		"app_signature": {appSignature(info.appKey, info.appSecret)},
	}
	e, err := c.signed(ctx, APIToken, http.MethodGet, pathToken, query, []string{info.appKey, info.appSecret, query.Get("app_signature")})
	if err != nil {
		return "", time.Time{}, err
	}
	data, _ := e.all["data"].(map[string]any)
	token := member(data, "access_token")
	if token == "" {
		return "", time.Time{}, unusable(APIToken, "there is no access_token in it")
	}
	now := time.Now()
	end := now.Add(tokenLife)
	if ms, err := strconv.ParseInt(member(data, "expires"), 10, 64); err == nil {
		if t := time.UnixMilli(ms); t.After(now) && t.Before(end) {
			end = t
		}
	}
	return token, end.UTC(), nil
}

// currentUser asks whose token it is. Its answer's layout is not documented: the
// id is taken from the top or from data.
func (c *Client) currentUser(ctx context.Context, s snapshot) (string, error) {
	e, f, _ := c.once(ctx, s, request{api: APIUser, path: pathUser, body: []byte("{}")})
	if f != nil {
		return "", f
	}
	data, _ := e.all["data"].(map[string]any)
	for _, from := range []map[string]any{data, e.all} {
		if id := member(from, "id"); id != "" {
			return id, nil
		}
	}
	return "", unusable(APIUser, "there is no user id in it; the settings can name it")
}

// signed makes one call that carries the gateway's signature, and no session.
func (c *Client) signed(ctx context.Context, api, method, path string, query url.Values, secrets []string) (envelope, error) {
	b := reader{dialect: connector, throttle: throttlePause, secrets: append(secrets, c.o.ClientSecret, c.o.OuterInstanceID)}
	build := func(ctx context.Context) (*http.Request, error) {
		u, err := c.address(path, query)
		if err != nil {
			return nil, err
		}
		var req *http.Request
		if method == http.MethodGet {
			req, err = http.NewRequestWithContext(ctx, method, u, http.NoBody)
		} else {
			req, err = http.NewRequestWithContext(ctx, method, u, strings.NewReader("{}"))
		}
		if err != nil {
			return nil, err
		}
		req.Header["Content-Type"] = []string{"application/json"}
		err = sign(req.Header, c.o.ClientID, c.o.ClientSecret, method, path, query, time.Now())
		return req, err
	}
	v, f := c.do(ctx, b, connectors.Call{API: api, Request: build})
	if f != nil {
		return envelope{}, f
	}
	return v.envelope, nil
}

// member is a scalar member as text, "" where it is missing or something else.
func member(m map[string]any, name string) string {
	switch v := m[name].(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}
