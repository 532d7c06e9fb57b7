package dispatch

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// gate is what is known of one vendor API: whether it may be called now, and
// for how long, in all, it could have been. Safe for concurrent use.
type gate struct {
	name  string
	stage events.Stage
	line  *connectors.Line
	apis  []string      // as the line knows them; all must be up
	room  func() string // why what the calls lead to would find no room; nil: never

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
	byWord    cause = iota // an operator's, or room's: when they say so
	byBreaker              // when it has closed
	byVendor               // when a call succeeds
)

// trial is how long a pause that is over, as far as one can know, is still shown if
// no call is made that could prove it.
const trial = time.Minute

// look brings the gate up to date.
func (g *gate) look(now time.Time) (paused bool, up time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down == "" && !g.probed && !g.doubt && !g.last.IsZero() {
		g.up += max(0, now.Sub(g.last))
	}
	g.last = now
	why, by := g.reason(now)
	g.down = why
	g.probed = slices.ContainsFunc(g.apis, func(api string) bool { return g.line.State(api).Breaker == "half-open" })
	g.doubt = slices.ContainsFunc(g.apis, func(api string) bool { return g.line.State(api).Doubted })
	g.show(now, by)
	return g.down != "", g.up
}

// show keeps what people are told: a pause is over once that is proved, not while a
// probe may begin it anew.
func (g *gate) show(now time.Time, by cause) {
	switch {
	case g.down != "":
		g.shown, g.cause, g.opened, g.works = g.down, by, time.Time{}, false
		return
	case g.shown == "":
		return
	case g.opened.IsZero():
		g.opened = now
	}
	if g.cause == byWord || g.works || g.cause == byBreaker && !g.probed || now.Sub(g.opened) >= trial {
		g.shown = ""
	}
}

func (g *gate) reason(now time.Time) (string, cause) {
	switch {
	case g.held:
		return "paused by an operator", byWord
	case now.Before(g.denied):
		return "its credentials were refused", byVendor
	case now.Before(g.rest):
		return "no call can be made until " + g.rest.Format(time.TimeOnly), byVendor
	}
	if g.room != nil {
		if why := g.room(); why != "" {
			return why, byWord
		}
	}
	for _, api := range g.apis {
		switch st := g.line.State(api); {
		case st.Breaker == "open":
			return api + " is down: its breaker is open", byBreaker
		case st.PausedUntil.After(now):
			return "the vendor asked us to leave " + api + " alone until " + st.PausedUntil.Format(time.TimeOnly), byVendor
		}
	}
	return "", byWord
}

func (g *gate) deny(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied = until
}

// shut keeps the gate shut for as long as a call that was not made asks for. That
// may be another API's word, such as that of the tokens.
func (g *gate) shut(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.rest) {
		g.rest = until
	}
}

// allow is told of an order's call that succeeded.
func (g *gate) allow(order string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied, g.works = time.Time{}, true
	g.passed++
	delete(g.refused, order)
}

// alone is told of an order's call that was refused without a code of the vendor's,
// as a firewall before the vendor does. It reports whether the order was refused
// before, and others were not since: then it is no matter of credentials.
func (g *gate) alone(order string) bool {
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

func (g *gate) hold(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = on
}

func (g *gate) because() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.down
}

// shows is why the gate is paused, as people are told.
func (g *gate) shows() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown
}

// gates are all APIs of one owned tenant. A blocked opportunity API stops no
// work order: details have a gate per noun.
type gates struct {
	tenant string
	detail map[events.Noun]*gate
	reads  *gate
	upload *gate
	writes *gate
	log    *slog.Logger
}

func newGates(t Tenant, log *slog.Logger) *gates {
	return &gates{
		tenant: t.Name, log: log,
		detail: map[events.Noun]*gate{
			events.WorkOrder:   {name: "enrich work_order", stage: events.Enrich, line: t.WeibanLine, apis: []string{weiban.APIWorkOrder}},
			events.Opportunity: {name: "enrich opportunity", stage: events.Enrich, line: t.WeibanLine, apis: []string{weiban.APIOpportunity}},
		},
		reads:  &gate{name: "handle (reads)", stage: events.Handle, line: t.KingdeeLine, apis: []string{kingdee.APIWorkOrders, kingdee.APIDealRecords}},
		upload: &gate{name: "handle (pictures)", stage: events.Handle, line: t.KingdeeLine, apis: []string{kingdee.APIUpload}},
		writes: &gate{name: "handle (handle-order)", stage: events.Handle, line: t.KingdeeLine, apis: []string{kingdee.APIHandleOrder}},
	}
}

func (s *gates) all() []*gate {
	return []*gate{s.detail[events.WorkOrder], s.detail[events.Opportunity], s.reads, s.upload, s.writes}
}

// of is the gate of an API for a noun.
func (s *gates) of(a ledger.API, n events.Noun) *gate {
	switch a {
	case ledger.Detail:
		return s.detail[n]
	case ledger.Reads:
		return s.reads
	case ledger.Uploads:
		return s.upload
	default:
		return s.writes
	}
}

// moment is what the ledger is told with every input.
func (s *gates) moment(now time.Time, jitter float64, n events.Noun) ledger.Moment {
	at := func(g *gate) ledger.Gate {
		paused, up := g.look(now)
		return ledger.Gate{Paused: paused, Up: up}
	}
	return ledger.Moment{At: now, Jitter: jitter, Detail: at(s.detail[n]), Reads: at(s.reads), Uploads: at(s.upload), Writes: at(s.writes)}
}

// hold pauses a stage at an operator's word, or lets it go on.
func (s *gates) hold(stage events.Stage, on bool) {
	for _, g := range s.all() {
		if g.stage == stage {
			g.hold(on)
		}
	}
}

// why says which stages do not work now.
func (s *gates) why() error {
	var all error
	for _, g := range s.all() {
		if w := g.shows(); w != "" {
			all = errors.Join(all, fmt.Errorf("tenant %s, %s: %s", s.tenant, g.name, w))
		}
	}
	return all
}
