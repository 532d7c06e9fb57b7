package ownership

import (
	"maps"
	"slices"
)

// Member is an instance that may own tenants.
type Member struct {
	Instance string
	Tenants  []string // it can serve these by its configuration; none while it leaves
}

// Phase is an instance's progress with a tenant that it holds.
type Phase string

// The phases of a held tenant; "" means that it is not held.
const (
	Running  Phase = "running" // claimed, its stages starting or started
	Stopping Phase = "stopping"
)

// View is the input of a decision.
type View struct {
	Living []Member         // instances without a lapsed lease; ourselves only while our own lease lives
	Lapsed map[string]bool  // instances with a lapsed lease; true once it is proved to be over
	Claims map[string]Claim // by tenant
	Held   map[string]Phase // by tenant, of those that we hold
}

// Verb is an act on a tenant.
type Verb string

// The acts.
const (
	Take    Verb = "take"
	Keep    Verb = "keep"
	GiveUp  Verb = "give up" // stop it, then release
	Release Verb = "release" // a claim in our name without a tenure
)

// Act is one decision.
type Act struct {
	Tenant string
	Verb   Verb
	Claim  Claim  // at the decision: only this revision may be replaced
	From   string // of a Take: the lapsed owner, "" if the claim is free or our own
}

// Decide returns the acts of self, in the order of the tenants' names. A tenant for which
// self has to wait, or has nothing to do, gets no act. Without a lease of its own self
// gets none at all: its tenures have ended by themselves.
func Decide(v View, self string) []Act {
	if !slices.ContainsFunc(v.Living, func(m Member) bool { return m.Instance == self }) {
		return nil
	}
	wanted := v.wanted()
	tenants := map[string]bool{}
	for t := range wanted {
		tenants[t] = true
	}
	for t := range v.Held {
		tenants[t] = true
	}
	for t := range v.Claims {
		tenants[t] = true
	}
	var acts []Act
	for _, t := range slices.Sorted(maps.Keys(tenants)) {
		if a, ok := v.act(t, wanted[t], self); ok {
			acts = append(acts, a)
		}
	}
	return acts
}

// wanted returns, for each tenant, which of the instances that serve it should own it.
func (v View) wanted() map[string]string {
	serving := map[string][]string{}
	for _, m := range v.Living {
		for _, t := range m.Tenants {
			serving[t] = append(serving[t], m.Instance)
		}
	}
	out := make(map[string]string, len(serving))
	for t, living := range serving {
		out[t] = Rendezvous(t, living)
	}
	return out
}

func (v View) act(tenant, wanted, self string) (Act, bool) {
	claim, exists := v.Claims[tenant]
	held := v.Held[tenant]
	ours := exists && claim.Instance == self && !claim.Released
	a := Act{Tenant: tenant, Claim: claim}
	switch {
	case held == Stopping:
		return a, false // the next act is decided once it has stopped
	case held == Running && wanted == self:
		a.Verb = Keep
	case held == Running:
		a.Verb = GiveUp
	case wanted != self && ours:
		a.Verb = Release
	case wanted != self:
		return a, false
	case !exists || claim.Released || ours:
		a.Verb = Take
	case v.Lapsed[claim.Instance]:
		a.Verb, a.From = Take, claim.Instance
	default:
		return a, false // its owner lives and will give it up
	}
	return a, true
}
