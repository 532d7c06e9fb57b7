package kingdee

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// snapshot is everything that a weigusoft call carries of its credentials. It is
// made whole, replaced whole, and never changed. Its JSON goes to the vault only.
type snapshot struct {
	AccessToken   string    `json:"access_token"`
	GroupName     string    `json:"group_name"`
	Domain        string    `json:"domain"` // with scheme
	AccountID     string    `json:"account_id"`
	UserID        string    `json:"user_id"`
	AuthorityInfo string    `json:"authority_info"`
	Expires       time.Time `json:"expires"`
}

// String keeps the snapshot's secrets out of whatever prints it.
func (s snapshot) String() string { return "kingdee session" }

// GoString does so for %#v.
func (s snapshot) GoString() string { return s.String() }

// LogValue does so for slog.
func (s snapshot) LogValue() slog.Value { return slog.StringValue(s.String()) }

// same is false as soon as a call with b could fare otherwise than one with a.
func same(a, b snapshot) bool {
	a.Expires, b.Expires = time.Time{}, time.Time{}
	return a == b
}

func (s snapshot) secrets() []string { return []string{s.AccessToken, s.AuthorityInfo} }

// setHeaders sets the headers of a call: those of a weigusoft call, or the fewer of a
// file's form. The names are written as the pages write them, so not by Header.Set;
// before the user is known there is no Appuserid.
func (s snapshot) setHeaders(h http.Header, form string) {
	h["groupName"] = []string{s.GroupName}
	h["accountId"] = []string{s.AccountID}
	h["X-GW-Router-Addr"] = []string{s.Domain}
	if form != "" {
		h["Content-Type"] = []string{form}
		return
	}
	h["Content-Type"] = []string{"application/json"}
	h["access_token"] = []string{s.AccessToken}
	if s.UserID != "" {
		h["Appuserid"] = []string{s.UserID}
	}
}

// session is the snapshot in use. A fetch that failed for a reason which the next
// fetch mends by itself (the app secret was just rotated, the time stamp was too
// old) is made once more; both count against the minute's fetches.
func (c *Client) session(ctx context.Context) (snapshot, error) {
	s, err := c.shared.Get(ctx)
	if mendable(err) {
		return c.shared.Get(ctx)
	}
	return s, err
}

// renew replaces a snapshot that the vendor refused.
func (c *Client) renew(ctx context.Context, refused snapshot) (snapshot, error) {
	s, err := c.shared.Renew(ctx, refused)
	if mendable(err) {
		return c.shared.Renew(ctx, refused)
	}
	return s, err
}

func mendable(err error) bool {
	if err == nil {
		return false
	}
	m, _ := meaningOf(events.FailureOf(err).Code)
	return m.remedy == signAgain || m.remedy == newRoute
}

// fetch makes a session: authorization info, one token call, and the user if the
// settings do not name one.
func (c *Client) fetch(ctx context.Context) (snapshot, time.Time, error) {
	s, end, err := c.credentials(ctx)
	if err != nil {
		return snapshot{}, end, err
	}
	if s.UserID == "" {
		if s.UserID, err = c.currentUser(ctx, s); err != nil {
			return snapshot{}, end, unspent(err, c.o.Static != nil)
		}
	}
	s.AuthorityInfo, err = authorityInfo(c.o.AuthorityKey, c.o.AuthorityIV, s.AccessToken, s.UserID)
	if err != nil {
		return snapshot{}, end, &events.Failure{Kind: events.Internal, Reason: err.Error()}
	}
	s.Expires = end
	return s, end, nil
}

// credentials is the snapshot without authority_info: the tenant's own, or the app's.
func (c *Client) credentials(ctx context.Context) (snapshot, time.Time, error) {
	s := snapshot{AccountID: c.o.AccountID, UserID: c.o.UserID}
	if own := c.o.Static; own != nil {
		s.AccessToken, s.GroupName, s.Domain = own.AccessToken, own.GroupName, withScheme(own.Domain)
		return s, time.Time{}, nil
	}
	info, err := c.authorize(ctx)
	if err != nil {
		return s, time.Time{}, unspent(err, true)
	}
	s.GroupName, s.Domain = info.groupName, withScheme(info.domain)
	var end time.Time
	c.o.Known("app_secret", info.appSecret)
	s.AccessToken, end, err = c.token(ctx, info)
	c.known(s) // its user is asked for with it
	return s, end, unspent(err, true)
}

// known tells of the snapshot's secrets.
func (c *Client) known(s snapshot) {
	for name, secret := range map[string]string{"access_token": s.AccessToken, "authority_info": s.AuthorityInfo} {
		if secret != "" {
			c.o.Known(name, secret)
		}
	}
}

// unspent is err, marked where nothing reached Kingdee and no token call did before.
func unspent(err error, first bool) error {
	if err != nil && first && connectors.Unsent(err) {
		return connectors.Unspent(err)
	}
	return err
}

func withScheme(domain string) string {
	if domain == "" || strings.Contains(domain, "://") {
		return domain
	}
	return "https://" + domain
}
