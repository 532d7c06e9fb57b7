package weiban

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/events"
)

// What is known of Weiban's own limits.
const (
	tokenEarly      = 300 * time.Second // a new token this long before the end
	tokensPerMinute = 6                 // over all processes
)

// tokenName is the vault's entry for the access token of a corp id.
func tokenName(corpID string) string { return "weiban/" + corpID }

// Options says whose Weiban it is. CorpID, Secret, Account and Vault must be given.
type Options struct {
	BaseURL string              // possibly with a path before /open-api
	CorpID  string              // 企业id: Weiban's, 19 digits
	Secret  string              // 企业secret
	Account *connectors.Account // everything that calls this corp id goes over it
	Vault   connectors.Vault    // where all processes keep the one access token
	Drift   *drift.Counter      // counts what the types do not know of a detail; may be nil

	// Known is told of every access token before it is used, by the name of what it
	// is, so that it can be kept out of logs; nil: nobody is.
	Known func(name, secret string)

	TokenPerMinute int // token fetches a minute over all processes; 0 = what Weiban allows
}

// Client reads from Weiban. Safe for concurrent use. Every error of its methods
// is an [*events.Failure] and holds no secret, no token and no URL.
type Client struct {
	o         Options
	token     *connectors.Shared[string]
	documents Documents
	control   connectors.Control
}

// New makes a client; nothing is called before it is asked.
func New(o Options) *Client {
	if o.Known == nil {
		o.Known = func(string, string) {}
	}
	c := &Client{o: o, documents: NewDocuments()}
	c.token = connectors.NewShared(connectors.SharedOptions[string]{
		Name: tokenName(o.CorpID), API: "weiban " + apiToken, Vault: o.Vault, Fetch: c.fetchToken,
		Early: tokenEarly, PerMinute: cmp.Or(o.TokenPerMinute, tokensPerMinute), Lease: tokenLease,
		Equal: func(a, b string) bool { return a == b },
		Known: func(token string) { o.Known("access_token", token) },
	})
	return c
}

// String hides the client's secret.
func (c *Client) String() string { return "weiban client of " + c.o.CorpID }

// GoString hides it from %#v.
func (c *Client) GoString() string { return c.String() }

// The API names, as they appear in failures, spans and rates.
const (
	APIWorkOrder   = "workorder/detail"
	APIOpportunity = "opportunity/one"
	APIStaffList   = "staff/list"
)

// Detail is an object as Weiban gave it, read as far as it can be.
type Detail[T any] struct {
	Object[T]
	FetchedAt time.Time // when the call was sent: the state is no older
	UpdatedAt time.Time // by Weiban's own word, to the second; zero if it has none
}

// WorkOrder fetches a work order (获取工单详情, api-8267914). It may be called
// any number of times. Missing: Weiban does not know the number, or not yet.
// Invalid: the answer is about another order, or holds something else than one.
func (c *Client) WorkOrder(ctx context.Context, orderNo string) (Detail[WorkOrder], error) {
	if orderNo == "" {
		return Detail[WorkOrder]{}, invalid(APIWorkOrder, "no order number to ask for")
	}
	q := url.Values{"order_no": {orderNo}}
	d, err := fetch[WorkOrder](ctx, c, APIWorkOrder, q, c.documents.WorkOrder)
	if err != nil {
		return d, err
	}
	if !d.settle("order_no", &d.Value.OrderNo, &d.Value.Unread, orderNo, false) {
		return Detail[WorkOrder]{}, invalid(APIWorkOrder, "the answer is about another work order")
	}
	d.UpdatedAt = d.Value.UpdatedAt.Time()
	return d, nil
}

// OpportunityRef names an opportunity: by id, or else by serial number.
type OpportunityRef struct {
	ID           string // 商机id
	SerialNumber string // 商机编码
}

// Opportunity fetches an opportunity (获取商机详情, api-10790878). It may be
// called any number of times. Missing: Weiban does not know it, or it was
// deleted. Invalid: the answer is about another one, or holds something else than
// one, or was asked for by serial number and has no id.
func (c *Client) Opportunity(ctx context.Context, ref OpportunityRef) (Detail[Opportunity], error) {
	q := url.Values{}
	switch {
	case ref.ID != "":
		q.Set("id", ref.ID)
	case ref.SerialNumber != "":
		q.Set("serial_number", ref.SerialNumber)
	default:
		return Detail[Opportunity]{}, invalid(APIOpportunity, "neither id nor serial number to ask for")
	}
	d, err := fetch[Opportunity](ctx, c, APIOpportunity, q, c.documents.Opportunity)
	if err != nil {
		return d, err
	}
	same := false
	if o := &d.Value; ref.ID != "" {
		same = d.settle("id", &o.ID, &o.Unread, ref.ID, true)
	} else {
		same = d.settle("serial_number", &o.SerialNumber, &o.Unread, ref.SerialNumber, true)
	}
	switch {
	case !same:
		return Detail[Opportunity]{}, invalid(APIOpportunity, "the answer is about another opportunity")
	case d.Value.ID == "":
		return Detail[Opportunity]{}, invalid(APIOpportunity, "the opportunity has no readable id")
	}
	d.UpdatedAt = d.Value.UpdatedAt.Time()
	return d, nil
}

// fetch gets the object that an answer holds under the document's name. An answer
// without an outcome is Invalid where Weiban answers for another object at once.
func fetch[T WorkOrder | Opportunity](ctx context.Context, c *Client, api string, q url.Values, known *drift.Tree) (Detail[T], error) {
	d, err := fetchOnce[T](ctx, c, api, q, q.Encode(), known)
	return d, c.control.Judge(ctx, "weiban "+api, q.Encode(), err, func(ctx context.Context) error {
		_, err := fetchOnce[T](ctx, c, api, q, "", known)
		return err
	})
}

func fetchOnce[T WorkOrder | Opportunity](ctx context.Context, c *Client, api string, q url.Values, about string, known *drift.Tree) (d Detail[T], err error) {
	member := known.Document()
	body, sent, err := c.get(ctx, api, q, about)
	if err != nil {
		return d, err
	}
	members, _ := object(body)
	raw := members[member]
	if inside := jsonIn(scalar(raw)); inside != nil {
		raw = inside
	}
	if text, f := scalar(raw); f != formObject && !isEmpty(text, f) {
		return d, invalid(api, fmt.Sprintf("%s is no object but %s", member, f))
	}
	// Under load Weiban has been seen to answer "ok" with nothing in it.
	if some, _ := object(raw); len(some) == 0 {
		return d, &events.Failure{Kind: events.Unavailable, API: "weiban " + api, Status: http.StatusOK, Reason: "the answer says ok and holds no " + member}
	}
	c.o.Drift.See(ctx, known, raw)
	if d.Object, err = Read[T](raw); err != nil {
		return Detail[T]{}, invalid(api, member+": "+err.Error())
	}
	d.FetchedAt = sent
	return d, nil
}

// get calls a read API, and once more with a new token if the token was refused.
func (c *Client) get(ctx context.Context, api string, q url.Values, about string) (body []byte, sent time.Time, err error) {
	token, err := c.token.Get(ctx)
	if err != nil {
		return nil, sent, err
	}
	body, sent, err = c.getWith(ctx, api, q, about, token)
	if !tokenRefused(err) {
		return body, sent, err
	}
	token, err = c.token.Renew(ctx, token)
	if err != nil {
		return nil, sent, err
	}
	return c.getWith(ctx, api, q, about, token)
}

func (c *Client) getWith(ctx context.Context, api string, q url.Values, about, token string) (body []byte, sent time.Time, err error) {
	withToken := url.Values{"access_token": {token}}
	for name, values := range q {
		withToken[name] = values
	}
	answer, err := c.do(ctx, connectors.Call{
		API: api, About: about,
		Request: func(ctx context.Context) (*http.Request, error) {
			sent = time.Now()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(api, withToken), nil)
			if err != nil {
				return nil, badBaseURL()
			}
			return req, nil
		},
		Classify: func(a connectors.Answer) *events.Failure { return c.judge(ctx, api, a, token, c.o.Secret) },
	})
	return answer.Body, sent, err
}

// do makes a call, whose answer may have something around its JSON.
func (c *Client) do(ctx context.Context, call connectors.Call) (connectors.Answer, error) {
	classify := call.Classify
	call.Classify = func(a connectors.Answer) *events.Failure {
		a.Body = sound(a.Body)
		return classify(a)
	}
	answer, err := c.o.Account.Do(ctx, call)
	answer.Body = sound(answer.Body)
	return answer, err
}

// judge is the code table's word, with codes that it does not hold counted.
func (c *Client) judge(ctx context.Context, api string, a connectors.Answer, secrets ...string) *events.Failure {
	f, known := judge(a, map[string]string{APIWorkOrder: "work_order", APIOpportunity: "opportunity"}[api], secrets...)
	if !known {
		c.o.Account.Unlisted(ctx, api)
	}
	return f
}

func (c *Client) url(api string, q url.Values) string {
	u := strings.TrimRight(c.o.BaseURL, "/") + "/open-api/" + api
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	return u
}

// lenient reads what package strictjson lets through: halves of surrogate pairs,
// of which Weiban's own data has some.
var lenient = jsontext.AllowInvalidUTF8(true)

// decode reads an object that is known to be strict JSON. Its error names the
// member and not what is in it.
func decode(raw []byte, v any) error {
	err := jsonv2.Unmarshal(raw, v, lenient)
	var misfit *jsonv2.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misfit):
		return fmt.Errorf("%s cannot be read from %s", misfit.JSONPointer, misfit.JSONKind)
	default:
		return errors.New("cannot be decoded")
	}
}

// object is the members of an object, each as it came.
func object(raw []byte) (members map[string]json.RawMessage, ok bool) {
	if jsonv2.Unmarshal(raw, &members, lenient) != nil {
		return nil, false
	}
	return members, members != nil
}

func invalid(api, reason string) *events.Failure {
	return &events.Failure{Kind: events.Invalid, API: "weiban " + api, Reason: reason}
}
