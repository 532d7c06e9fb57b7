// Package fakekingdee is a simulated Kingdee 云·星辰 gateway with the 为谷 service
// work-order app behind it: authorisation, handle-order, the reads that settle
// a doubt, and uploads.
//
// It speaks the gateway's raw JSON, written from the vendor's page and from what
// is known of the gateway. It shares no type with the bridge's client, or
// it would repeat the client's mistakes. It
// checks more strictly than the vendor may. It keeps everything in memory, one
// account set a [Server], and listens on loopback only. What the vendor leaves
// open is a setting or is said where it stands. It is called by the sandbox and
// by tests.
package fakekingdee

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Options are the settings of a simulated Kingdee. The zero value is an account
// set with sample credentials and base data, the known limits and no bills.
type Options struct {
	Account Account // empty fields are filled with samples
	Base    *Base   // nil: [SampleBase]
	Limits  Limits  // zero: [KnownLimits]

	TokenLife    time.Duration // default 24 h
	KillOldToken bool          // a new token ends the ones before
	OmitExpires  bool          // kingdee_auth_token does not say when the token ends
	SecretLife   time.Duration // how often the appSecret changes by itself; 0: never

	CodeEnvelope bool      // push_app_authorize answers code/msg, not errcode/description
	Decoys       bool      // push_app_authorize lists two other account sets before ours
	UserShape    UserShape // where get_current_user_info puts the id
	ListShape    ListShape // what loadList's answer looks like
	MaxPage      int       // pages are silently cut to this size; default 100

	RefuseClosed    bool          // a bill in H or G refuses handle-order
	AnyReference    bool          // ids that are not in Base are taken
	ForeignPictures bool          // photos may lie outside the account's domain
	ReadLag         time.Duration // how long a new record is not found by the reads
	Latency         time.Duration // of every call, on the machine's clock

	Script  *script.Script   // what goes wrong; nil: nothing
	Observe script.Observer  // is called for each event; may be nil
	Clock   func() time.Time // default time.Now
	Seed    uint64           // of tokens and secrets; 0 takes another one each time
}

// Account is what a caller needs in order to be let in.
type Account struct {
	ClientID        string // 6 digits
	ClientSecret    string // 32 hex; signs the jdyconnector calls
	OuterInstanceID string
	AppKey          string // 8 characters
	AppSecret       string // 40 hex; changes
	AccountID       string // 账套ID, 19 digits
	GroupName       string // 分组名称; moves
	Domain          string // IDC域名, with scheme
	UserID          string // 当前登录用户id
}

// Server is one simulated account set behind its gateway. The methods on HTTP,
// tokens and counts are those of package fakevendor. Safe for concurrent use.
type Server struct {
	fakevendor.Gateway
	fakevendor.Issued
	fakevendor.Counts

	o      Options
	routes map[string]fakevendor.Route

	mu        sync.Mutex
	random    *rand.Rand
	account   Account // AppSecret and GroupName as they are now
	rotated   time.Time
	base      Base
	shape     ListShape
	bills     map[string]*Bill // by order number
	billNos   []string
	billByID  map[string]*Bill
	records   []*DealRecord
	recordsOf map[string][]*DealRecord
	arrivals  []Arrival
	perDay    map[string]int
	uploads   []Upload
	kept      map[string]bool // addresses of uploaded files that are there still
	lastID    int64
	calls     script.Window
	tokenRuns script.Window
}

// New gives an account set with base data and no bills.
func New(o Options) *Server {
	o = o.filled()
	s := &Server{
		o: o, account: o.Account, rotated: o.Clock(), random: rand.New(rand.NewPCG(o.Seed, o.Seed>>1)),
		base: *o.Base, shape: o.ListShape, bills: map[string]*Bill{},
		billByID: map[string]*Bill{}, recordsOf: map[string][]*DealRecord{}, kept: map[string]bool{},
		perDay: map[string]int{}, lastID: 2230413444614467584,
		calls:     script.Window{Span: o.Limits.Minute, Limit: o.Limits.PerMinute},
		tokenRuns: script.Window{Span: o.Limits.Minute, Limit: o.Limits.TokensPerMinute},
	}
	s.routes = s.table()
	s.Gateway = fakevendor.Gateway{
		Vendor: "kingdee", MaxBody: maxRequest, Latency: o.Latency, Script: o.Script, Observe: o.Observe, Clock: o.Clock,
		Find:     func(path string) (fakevendor.Route, bool) { r, ok := s.routes[path]; return r, ok },
		NotFound: gatewayFault(5001), BadMethod: gatewayFault(5002), Enter: s.enter,
	}
	return s
}

func (o Options) filled() Options {
	o.Account = o.Account.filled()
	if o.Base == nil {
		b := SampleBase()
		o.Base = &b
	}
	if o.Limits == (Limits{}) {
		o.Limits = KnownLimits()
	}
	if o.TokenLife == 0 {
		o.TokenLife = 24 * time.Hour
	}
	if o.MaxPage == 0 {
		o.MaxPage = 100
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	return o
}

func (a Account) filled() Account {
	or := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	or(&a.ClientID, "204321")
	or(&a.ClientSecret, "5d41402abc4b2a76b9719d911017c592")
	or(&a.OuterInstanceID, "instance-sandbox")
	or(&a.AppKey, "sBx7Qe2k")
	or(&a.AppSecret, "3f786850e387550fdab836ed7e6dc881de23001b")
	or(&a.AccountID, "1683187060740048426")
	or(&a.GroupName, "ns-v7g6")
	or(&a.Domain, "https://tf.jdy.com")
	or(&a.UserID, "10102023")
	return a
}

// nextID is a 19-digit id. Called under the lock.
func (s *Server) nextID() string {
	s.lastID += 1024
	return strconv.FormatInt(s.lastID, 10)
}
