package weiban

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

const (
	apiToken   = "access_token/get"
	tokenLife  = 2 * time.Hour      // where Weiban does not say
	maxLife    = 7 * 24 * time.Hour // beyond what is believed
	maxToken   = 4096               // bytes
	tokenLease = 30 * time.Second
)

// fetchToken asks for an access token (获取访问凭据, api-470070614). Whether a
// new one ends the former is not documented; the shared credential assumes both.
// Here any refusal that is not about speed is about the credentials: which
// codes Weiban has for a wrong corp id or secret is not documented.
func (c *Client) fetchToken(ctx context.Context) (string, time.Time, error) {
	body, err := json.Marshal(map[string]string{"corp_id": c.o.CorpID, "secret": c.o.Secret})
	if err != nil {
		return "", time.Time{}, &events.Failure{Kind: events.Internal, API: "weiban " + apiToken, Reason: "the request could not be built"}
	}
	var asked time.Time
	answer, err := c.do(ctx, connectors.Call{
		API: apiToken,
		Request: func(ctx context.Context) (*http.Request, error) {
			asked = time.Now()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(apiToken, nil), bytes.NewReader(body))
			if err != nil {
				return nil, badBaseURL()
			}
			req.Header.Set("Content-Type", "application/json; charset=utf-8")
			return req, nil
		},
		Classify: func(a connectors.Answer) *events.Failure {
			f := c.judge(ctx, apiToken, a, c.o.Secret)
			if f != nil && (f.Kind == events.Rejected || f.Kind == events.Unavailable && f.Code != "" && f.Status < 500) {
				f.Kind = events.Denied
			}
			return f
		},
	})
	if err != nil && connectors.Unsent(err) {
		err = connectors.Unspent(err)
	}
	if err != nil {
		return "", time.Time{}, err
	}
	var granted struct {
		Token string `json:"access_token"`
		Life  Int    `json:"expires_in"`
	}
	if json.Unmarshal(answer.Body, &granted) != nil || !soundToken(granted.Token) {
		return "", time.Time{}, &events.Failure{
			Kind: events.Unavailable, API: "weiban " + apiToken, Status: answer.Status,
			Reason: "the answer holds no usable access token",
		}
	}
	life := tokenLife
	if granted.Life > 0 {
		life = time.Duration(min(int64(granted.Life), int64(maxLife/time.Second))) * time.Second
	}
	return granted.Token, asked.Add(life), nil
}

func soundToken(s string) bool {
	return s != "" && len(s) <= maxToken && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func badBaseURL() *events.Failure {
	return &events.Failure{Kind: events.Internal, Reason: "the base URL of Weiban's API is not a URL"}
}
