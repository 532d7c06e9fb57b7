package wait

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// Availability knows whether one vendor API may be called now, and for how long, in all,
// it was up. It is safe for concurrent use. Under its lock mu it takes the lock of [Space]
// and those of the account, and no other.
type Availability struct {
	Name    string
	Stage   events.Stage
	account *connectors.Account
	apis    []string      // as the account knows them; all must be up
	space   func() string // why the results of a call would find no space; nil: they always do

	mu     sync.Mutex
	last   time.Time
	up     time.Duration
	down   string    // why it is paused, "" if it is not or may be tried again
	probed bool      // a breaker waits for the call that shows whether it is up again
	doubt  bool      // an answer failed, and nothing has shown since that the API is up
	rest   time.Time // a call could not be made: not before
	denied time.Time // credentials were refused: not before
	held   bool      // an operator paused the stage
	passed int       // calls that succeeded

	// refused is, for each order whose call was refused by HTTP status alone and has
	// not succeeded since, how many calls had passed at the first refusal.
	refused map[string]int

	shown  string    // why it is paused, as people are told
	cause  cause     // of that
	opened time.Time // since when it would be let try again
	works  bool      // a call has succeeded since it was paused
}

// cause is a sort of pause, by what shows that it is over.
type cause int

const (
	bySwitch  cause = iota // an operator's, or for want of space: ends with it
	byBreaker              // when it has closed
	byVendor               // when a call succeeds
)

// trial is how long a pause that seems to be over is still shown, if no call is made that
// could prove it.
const trial = time.Minute

// shortest is how long an API is paused at least for an open breaker: until the ledger has
// been told.
const shortest = 250 * time.Millisecond

// Refresh brings the availability up to date.
func (g *Availability) Refresh(now time.Time) (paused bool, up time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down == "" && !g.probed && !g.doubt && !g.last.IsZero() {
		g.up += max(0, now.Sub(g.last))
	}
	g.last = now
	why, by := g.reason(now)
	g.down = why
	g.probed = slices.ContainsFunc(g.apis, func(api string) bool { return g.account.State(api).Breaker == "half-open" })
	g.doubt = slices.ContainsFunc(g.apis, func(api string) bool { return g.account.State(api).Doubted })
	g.show(now, by)
	return g.down != "", g.up
}

// show keeps what people are told: a pause ends once a call or a closed breaker proves
// it, not while a probe may fail.
func (g *Availability) show(now time.Time, by cause) {
	switch {
	case g.down != "":
		g.shown, g.cause, g.opened, g.works = g.down, by, time.Time{}, false
		return
	case g.shown == "":
		return
	case g.opened.IsZero():
		g.opened = now
	}
	if g.cause == bySwitch || g.works || g.cause == byBreaker && !g.probed || now.Sub(g.opened) >= trial {
		g.shown = ""
	}
}

func (g *Availability) reason(now time.Time) (string, cause) {
	switch {
	case g.held:
		return "paused by an operator", bySwitch
	case now.Before(g.denied):
		return "its credentials were refused", byVendor
	case now.Before(g.rest):
		return "no call can be made until " + g.rest.Format(time.TimeOnly), byVendor
	}
	if g.space != nil {
		if why := g.space(); why != "" {
			return why, bySwitch
		}
	}
	for _, api := range g.apis {
		switch st := g.account.State(api); {
		case st.Breaker == "open":
			return api + " is down: its breaker is open", byBreaker
		case st.PausedUntil.After(now):
			return "the vendor asked us to leave " + api + " alone until " + st.PausedUntil.Format(time.TimeOnly), byVendor
		}
	}
	return "", bySwitch
}

func (g *Availability) deny(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied = until
}

// closeUntil pauses the API for as long as a call that was not made asks for. Another API
// may have asked for it, such as that of the tokens.
func (g *Availability) closeUntil(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.rest) {
		g.rest = until
	}
}

// succeeded notes an order's call that succeeded.
func (g *Availability) succeeded(order string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied, g.works = time.Time{}, true
	g.passed++
	delete(g.refused, order)
}

// refusedAlone notes an order's call that was refused without a vendor's code, as by a
// firewall before the vendor. It reports whether the same order was refused before while
// other orders' calls passed since: then the credentials are not the cause.
func (g *Availability) refusedAlone(order string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, known := g.refused[order]
	if known {
		return g.passed > before
	}
	if g.refused == nil {
		g.refused = make(map[string]int)
	}
	g.refused[order] = g.passed
	return false
}

// Judge takes the end of an order's call: it opens or closes the API, and returns the
// failure as the ledger is to treat it. After refused credentials the API stays closed
// for probeDenied.
func (g *Availability) Judge(ctx context.Context, order string, err error, probeDenied time.Duration) *events.Failure {
	f := events.FailureOf(err)
	switch {
	case f == nil:
		g.succeeded(order)
		return nil
	case errors.Is(err, connectors.ErrOpen):
		// Nothing was sent: the ledger finds the API paused, and spends no try.
		g.closeUntil(time.Now().Add(max(f.Wait, shortest)))
	case f.Kind == events.Throttled:
		g.closeUntil(time.Now().Add(f.Wait))
	case f.Kind == events.Denied && f.Status != 0 && f.Code == "" && g.refusedAlone(order):
		c := *f
		c.Kind, c.Reason = events.Invalid, f.Reason+"; for other orders the API answers"
		f = &c
	case f.Kind == events.Denied:
		g.deny(time.Now().Add(probeDenied))
	case ctx.Err() != nil && f.Kind != events.Uncertain:
		c := *f
		c.Kind = events.Interrupted
		f = &c
	}
	g.Refresh(time.Now())
	return f
}

func (g *Availability) hold(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = on
}

// isHeld reports whether an operator paused the stage.
func (g *Availability) isHeld() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// Why is why the API is paused; "" if it is not.
func (g *Availability) Why() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.down
}

// Shown is why the API is paused, as people are told; "" if it is not.
func (g *Availability) Shown() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown
}

// APIs are all vendor APIs that an owned tenant calls. Each noun has its own API for
// details: a blocked opportunity API stops no work order.
type APIs struct {
	tenant  string
	Details map[events.Noun]*Availability
	Reads   *Availability
	Uploads *Availability
	Writes  *Availability
}

// Accounts are a tenant's accounts at its two vendors: all calls go through them.
type Accounts struct{ Weiban, Kingdee *connectors.Account }

// Empty takes what the accounts have saved up: the next calls make no burst.
func (l Accounts) Empty() {
	l.Weiban.Empty()
	l.Kingdee.Empty()
}

// NewAPIs returns the availability of a tenant's APIs, as the accounts tell it.
func NewAPIs(tenant string, accounts Accounts) *APIs {
	return &APIs{
		tenant: tenant,
		Details: map[events.Noun]*Availability{
			events.WorkOrder:   {Name: "enrich work_order", Stage: events.Enrich, account: accounts.Weiban, apis: []string{weiban.APIWorkOrder}},
			events.Opportunity: {Name: "enrich opportunity", Stage: events.Enrich, account: accounts.Weiban, apis: []string{weiban.APIOpportunity}},
		},
		Reads:   &Availability{Name: "handle (reads)", Stage: events.Handle, account: accounts.Kingdee, apis: []string{kingdee.APIWorkOrders, kingdee.APIDealRecords}},
		Uploads: &Availability{Name: "handle (pictures)", Stage: events.Handle, account: accounts.Kingdee, apis: []string{kingdee.APIUpload}},
		Writes:  &Availability{Name: "handle (handle-order)", Stage: events.Handle, account: accounts.Kingdee, apis: []string{kingdee.APIHandleOrder}},
	}
}

// All lists every API.
func (s *APIs) All() []*Availability {
	return []*Availability{s.Details[events.WorkOrder], s.Details[events.Opportunity], s.Reads, s.Uploads, s.Writes}
}

// Of is the availability of an API for a noun.
func (s *APIs) Of(a ledger.API, n events.Noun) *Availability {
	switch a {
	case ledger.Detail:
		return s.Details[n]
	case ledger.Reads:
		return s.Reads
	case ledger.Uploads:
		return s.Uploads
	default:
		return s.Writes
	}
}

// Moment is what the ledger is told of the APIs with every input.
func (s *APIs) Moment(now time.Time, jitter float64, n events.Noun) ledger.Moment {
	at := func(g *Availability) ledger.Gate {
		paused, up := g.Refresh(now)
		return ledger.Gate{Paused: paused, Up: up}
	}
	return ledger.Moment{
		At: now, Jitter: jitter, Detail: at(s.Details[n]), Reads: at(s.Reads), Uploads: at(s.Uploads), Writes: at(s.Writes),
		Held: [2]bool{s.Details[n].isHeld(), s.Reads.isHeld()},
	}
}

// Hold pauses a stage for an operator, or resumes it.
func (s *APIs) Hold(stage events.Stage, on bool) {
	for _, g := range s.All() {
		if g.Stage == stage {
			g.hold(on)
		}
	}
}

// Why says which APIs are paused; nil if none is.
func (s *APIs) Why() error {
	var all error
	for _, g := range s.All() {
		if w := g.Shown(); w != "" {
			all = errors.Join(all, fmt.Errorf("tenant %s, %s: %s", s.tenant, g.Name, w))
		}
	}
	return all
}
