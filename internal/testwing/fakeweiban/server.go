// Package fakeweiban is a simulated Weiban assistant (微伴助手): the open API
// that the bridge reads from, with its quotas and penalties, and the sender of
// signed and encrypted callbacks, with its retries.
//
// It speaks Weiban's raw JSON, written from Weiban's pages alone. It shares no
// type with the bridge's client, or it would repeat the client's mistakes. It keeps everything in memory, one tenant a
// [Server], and listens on loopback only. What Weiban leaves open is a setting
// or is said where it stands. It is called by the sandbox and by tests.
package fakeweiban

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"gongdan-bridge/internal/testwing/fakevendor"
	"gongdan-bridge/internal/testwing/script"
)

// Options are the settings of a simulated Weiban. The zero value is a tenant
// with sample credentials, the documented limits and no callback address.
type Options struct {
	CorpID string // 19 digits; default 1653682321878942721
	Secret string // of the open API; default "sample-secret"
	Limits Limits // zero: [DocumentedLimits]

	TokenLife   time.Duration // default 2 h
	TokenPolicy TokenPolicy
	Latency     time.Duration // how long every call is in progress at least, on the machine's clock
	ReadLag     time.Duration // how long a new order is not found by the detail API
	ListByTime  ListTime      // which time workorder/list filters by
	OldestFirst bool          // sort order of the lists; default newest first

	Callback Callback

	Staff   []Staff          // default: [Roster]
	Script  *script.Script   // what goes wrong; nil: nothing
	Observe script.Observer  // is called for each event; may be nil
	Clock   func() time.Time // default time.Now; may run faster than the machine's
	Seed    uint64           // of message ids, tokens and nonces; 0 takes another one each time
}

// Server is one simulated tenant of Weiban. The methods on HTTP, tokens and counts
// are those of package fakevendor. Safe for concurrent use.
type Server struct {
	fakevendor.Gateway
	fakevendor.Issued
	fakevendor.Counts

	o      Options
	routes map[string]fakevendor.Route

	mu         sync.Mutex
	secret     string
	random     *rand.Rand
	staff      map[string]Staff
	staffOrder []string
	orders     map[string]*Order
	orderNos   []string               // in creation order
	pictures   map[string]keptPicture // by path
	deals      map[int64]*Opportunity
	dealIDs    []int64
	lastID     int64
	lastNo     int64
	seq        int
	inProgress int
	meters     map[string]*meter

	courier *courier
}

// New gives a tenant with staff and no orders. It fails if the callback
// settings cannot be used.
func New(o Options) (*Server, error) {
	o = o.filled()
	c, err := newCourier(o.Callback)
	if err != nil {
		return nil, fmt.Errorf("new simulated weiban: %w", err)
	}
	s := &Server{
		o: o, secret: o.Secret, courier: c, random: rand.New(rand.NewPCG(o.Seed, o.Seed>>1)),
		staff: map[string]Staff{}, orders: map[string]*Order{},
		deals: map[int64]*Opportunity{}, pictures: map[string]keptPicture{}, meters: map[string]*meter{}, lastID: 26369,
	}
	s.routes = s.table()
	s.Gateway = fakevendor.Gateway{
		Vendor: "weiban", MaxBody: maxRequest, Latency: o.Latency, Script: o.Script, Observe: o.Observe, Clock: o.Clock,
		Find:      s.find,
		NotFound:  script.Answer{Status: http.StatusNotFound, Type: "text/plain; charset=utf-8", Body: []byte("404 page not found\n")},
		BadMethod: script.Answer{Status: http.StatusMethodNotAllowed, Type: "text/plain; charset=utf-8", Body: []byte("method not allowed\n")},
		Enter:     s.enter,
	}
	for _, p := range o.Staff {
		s.AddStaff(p)
	}
	return s, nil
}

func (o Options) filled() Options {
	if o.CorpID == "" {
		o.CorpID = "1653682321878942721"
	}
	if o.Secret == "" {
		o.Secret = "sample-secret"
	}
	if o.Limits == (Limits{}) {
		o.Limits = DocumentedLimits()
	}
	if o.TokenLife == 0 {
		o.TokenLife = 2 * time.Hour
	}
	if o.Staff == nil {
		o.Staff = Roster()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	o.Callback = o.Callback.filled(o.CorpID)
	return o
}

// AddStaff adds a staff member, or replaces the one with this id.
func (s *Server) AddStaff(p Staff) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.staff[p.ID]; !known {
		s.staffOrder = append(s.staffOrder, p.ID)
	}
	if p.UpdatedAt.IsZero() {
		p.UpdatedAt = s.o.Clock()
	}
	s.staff[p.ID] = p
}

// CorpID and Secret are what a client signs in with.
func (s *Server) CorpID() string { return s.o.CorpID }

// Secret is the one in force now.
func (s *Server) Secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secret
}

// nextID is an internal id; like Weiban's they have gaps. Called under the lock.
func (s *Server) nextID() int64 {
	s.lastID += 128
	return s.lastID
}

// nextOrderNo is an order number as Weiban's are: 19 digits, of which the upper
// bits are the time. Called under the lock.
func (s *Server) nextOrderNo(now time.Time) int64 {
	const epoch = 1288834974657 // ms; reproduces the times of the pages' sample numbers
	s.lastNo = max(s.lastNo+1, (now.UnixMilli()-epoch)<<22)
	return s.lastNo
}
