package kingdee

import (
	"bytes"
	"cmp"
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

// Pool is the allowance that all APIs of an account set share.
const Pool = "account set"

// What is known of the vendor's own limits.
const (
	pageSize          = 50               // rows a page of loadList; at most 100
	throttlePause     = 10 * time.Second // after a throttle that names no pause
	tokenLife         = 20 * time.Hour
	tokenEarly        = 30 * time.Minute // before the end
	tokenLease        = 90 * time.Second // the longest that fetching a session may take
	sessionsPerMinute = 2                // over all processes
)

// Options is one tenant's access to one account set. The app's credentials, or
// Static, must be given; so must AccountID and Account.
type Options struct {
	BaseURL   string // a path in it is kept before every API's
	AccountID string // 账套ID
	UserID    string // Appuserid, 当前登录用户id; "" = the token's own, by get_current_user_info

	ClientID, ClientSecret string  // of the app; signs the calls for credentials
	OuterInstanceID        string  // of the authorised instance
	Static                 *Static // a token that the tenant brings; nothing is fetched or renewed then

	// Known is told of every secret that Kingdee gives out before it is used, by the
	// name of what it is, so that it can be kept out of logs; nil: nobody is.
	Known func(name, secret string)

	Account *connectors.Account
	Vault   connectors.Vault // shares the session between processes; default: memory
	Drift   *drift.Counter   // counts what is not as expected in rows of loadList; may be nil

	Paged        bool          // send pageindex 1 and pagesize 10 with handle-order
	UploadPart   string        // name of an upload's part, "file" or "file1": the page has both
	UploadWithin time.Duration // bound of one upload; 0 = the line's
	PerMinute    int           // sessions fetched in any 60 s over all processes; 0 = what Kingdee allows
	AuthorityKey string        // of authority_info; the app's credentials need it
	AuthorityIV  string        // of the same encryption
}

// Static is a session that the tenant brings.
type Static struct {
	AccessToken string
	GroupName   string
	Domain      string // IDC域名, e.g. https://tf.jdy.com
}

// Client calls Kingdee for one tenant. Safe for concurrent use. Every error of its
// methods is an *events.Failure and quotes no secret.
type Client struct {
	o       Options
	shared  *connectors.Shared[snapshot]
	control connectors.Control
	rows    map[string]*drift.Tree // rows by entity
	perPage int                    // rows a page of loadList
}

// New makes a client; it calls nobody. What is wrong with o shows with the first call.
func New(o Options) *Client {
	if o.Vault == nil || o.Static != nil {
		o.Vault = connectors.MemoryVault()
	}
	if o.Known == nil {
		o.Known = func(string, string) {}
	}
	c := &Client{o: o, rows: rowsKnown(), perPage: pageSize}
	c.shared = connectors.NewShared(connectors.SharedOptions[snapshot]{
		Name: vendor + "." + events.Token(o.AccountID), API: vendor + " " + APIToken, Vault: o.Vault,
		Fetch: c.fetch, Early: tokenEarly, PerMinute: cmp.Or(o.PerMinute, sessionsPerMinute), Lease: tokenLease, Equal: same, Known: c.known,
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
		s.setHeaders(req.Header, r.form)
		return req, nil
	}
	b := reader{dialect: weigusoft, write: r.write, throttle: throttlePause, secrets: append(s.secrets(), c.o.ClientSecret)}
	v, f := c.do(ctx, b, connectors.Call{API: r.api, About: r.about, Request: build, Write: r.write, Timeout: r.within})
	return v.envelope, f, v.remedy
}

// do makes the call, judged by b.
func (c *Client) do(ctx context.Context, b reader, call connectors.Call) (verdict, *events.Failure) {
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
