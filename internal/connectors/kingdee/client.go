package kingdee

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/events"
)

const vendor = "kingdee"

// The names of the calls, in failures, spans, breakers and pauses.
const (
	APIHandleOrder = "handle-order"
	APIWorkOrders  = "loadList/wg_service_workorder"
	APIDealRecords = "loadList/wg_deal_record"
	APIAuthorize   = "push_app_authorize"
	APIToken       = "kingdee_auth_token"
	APIUser        = "get_current_user_info"
	APIUpload      = "attachment_upload"
)

// DefaultBaseURL is the gateway.
const DefaultBaseURL = "https://api.kingdee.com"

// Options is one tenant's access to one account set. The app's credentials, or
// Static, must be given; so must AccountID and Account.
type Options struct {
	BaseURL   string // default DefaultBaseURL; a path in it is kept before every API's
	AccountID string // 账套ID
	UserID    string // Appuserid, 当前登录用户id; "" = the token's own, by get_current_user_info

	ClientID, ClientSecret string  // of the app; signs the calls for credentials
	OuterInstanceID        string  // of the authorised instance
	UID                    string  // whose token to ask for; "" = the authorising administrator's
	Static                 *Static // a token that the tenant brings; nothing is fetched or renewed then

	// Known is told of every secret that Kingdee gives out before it is used, by the
	// name of what it is, so that it can be kept out of logs; nil: nobody is.
	Known func(name, secret string)

	Account *connectors.Account
	Vault   connectors.Vault // shares the session between processes; default: memory
	Drift   *drift.Counter   // counts what is not as expected in rows of loadList; may be nil

	Paged        bool          // send pageindex 1 and pagesize 10 with handle-order
	PageSize     int           // rows a page of loadList, at most 100; default 50
	UploadPart   string        // name of an upload's part, "file" (default) or "file1": the page has both
	UploadWithin time.Duration // bound of one upload; default 30 s
	Throttle     time.Duration // the pause after a throttle that names none; default 10 s
	TokenLife    time.Duration // default 20 h
	Early        time.Duration // before the end; default 30 min
	PerMinute    int           // sessions fetched in any 60 s over all processes; default 2
	Lease        time.Duration // the longest that fetching a session may take; default 90 s
	AuthorityKey string        // of authority_info; default: the vendor's published one
	AuthorityIV  string        // likewise
}

// Static is a session that the tenant brings.
type Static struct {
	AccessToken string
	GroupName   string
	Domain      string // IDC域名, e.g. https://tf.jdy.com
}

// DefaultRate is what the vendor allows, less the calls that may be on their way:
// 500 a minute for the account set, over all APIs.
func DefaultRate(string) connectors.Rate {
	return connectors.Rate{Pool: "account set", PerMinute: 495}
}

// Client calls Kingdee for one tenant. Safe for concurrent use. Every error of its
// methods is an *events.Failure and quotes no secret.
type Client struct {
	o       Options
	shared  *connectors.Shared[snapshot]
	control connectors.Control
	rows    map[string]*drift.Tree // rows by entity
}

// New makes a client; it calls nobody. What is wrong with o shows with the first call.
func New(o Options) *Client {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	if o.Throttle <= 0 {
		o.Throttle = 10 * time.Second
	}
	if o.TokenLife <= 0 {
		o.TokenLife = 20 * time.Hour
	}
	if o.Early <= 0 {
		o.Early = 30 * time.Minute
	}
	if o.Lease <= 0 {
		o.Lease = 90 * time.Second
	}
	if o.PageSize <= 0 || o.PageSize > 100 {
		o.PageSize = 50
	}
	if o.UploadPart == "" {
		o.UploadPart = "file"
	}
	if o.UploadWithin <= 0 {
		o.UploadWithin = 30 * time.Second
	}
	if o.AuthorityKey == "" {
		o.AuthorityKey = defaultAuthorityKey
	}
	if o.AuthorityIV == "" {
		o.AuthorityIV = defaultAuthorityIV
	}
	if o.Vault == nil || o.Static != nil {
		o.Vault = connectors.MemoryVault()
	}
	if o.Known == nil {
		o.Known = func(string, string) {}
	}
	c := &Client{o: o, rows: rowsKnown()}
	c.shared = connectors.NewShared(connectors.SharedOptions[snapshot]{
		Name: vendor + "." + events.Token(o.AccountID), API: vendor + " " + APIToken, Vault: o.Vault,
		Fetch: c.fetch, Early: o.Early, PerMinute: o.PerMinute, Lease: o.Lease, Equal: same, Known: c.known,
	})
	return c
}

// request is one call with a session.
type request struct {
	api, path string
	body      []byte
	about     string // the order or file, for the breaker
	write     bool
	form      string        // Content-Type of a file's form; "" is a weigusoft call
	within    time.Duration // 0 = the account's bound
}

// call makes a call with the session in use. If it is refused for a
// reason that a new session may mend, and nothing ran, it is made once more.
func (c *Client) call(ctx context.Context, r request) (envelope, error) {
	s, err := c.session(ctx)
	if err != nil {
		return envelope{}, err
	}
	e, f, cure := c.once(ctx, s, r)
	if f != nil && (cure == newToken || cure == newRoute) && c.o.Static == nil {
		if s, err = c.renew(ctx, s); err != nil {
			return envelope{}, err
		}
		e, f, _ = c.once(ctx, s, r)
	}
	if f != nil {
		return envelope{}, f
	}
	return e, nil
}

// once makes a call with one session, and never again.
func (c *Client) once(ctx context.Context, s snapshot, r request) (envelope, *events.Failure, remedy) {
	query := url.Values{"access_token": {s.AccessToken}}
	if s.AuthorityInfo != "" && r.form == "" {
		query.Set("authority_info", s.AuthorityInfo)
	}
	build := func(ctx context.Context) (*http.Request, error) {
		u, err := c.address(r.path, query)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(r.body))
		if err != nil {
			return nil, err
		}
		s.dress(req.Header, r.form)
		return req, nil
	}
	b := bench{dialect: weigusoft, write: r.write, throttle: c.o.Throttle, secrets: append(s.secrets(), c.o.ClientSecret)}
	v, f := c.do(ctx, b, connectors.Call{API: r.api, About: r.about, Request: build, Write: r.write, Timeout: r.within})
	return v.envelope, f, v.remedy
}

// do makes the call, judged by b.
func (c *Client) do(ctx context.Context, b bench, call connectors.Call) (verdict, *events.Failure) {
	if c.o.Account == nil {
		return verdict{}, &events.Failure{Kind: events.Internal, Reason: "the client has no account"}
	}
	var v verdict
	call.Classify = func(a connectors.Answer) *events.Failure {
		v = b.judge(a)
		return v.failure
	}
	_, err := c.o.Account.Do(ctx, call)
	if v.unlisted {
		c.o.Account.Unlisted(ctx, call.API)
	}
	if err != nil {
		return v, events.FailureOf(err)
	}
	return v, nil
}

// address is the URL of an API under the base URL.
func (c *Client) address(path string, query url.Values) (string, error) {
	u, err := url.Parse(c.o.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", errors.New("the base URL is not an http or https address")
	}
	u = u.JoinPath(path)
	u.RawQuery = query.Encode()
	return u.String(), nil
}
