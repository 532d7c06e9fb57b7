package ownership

import (
	"maps"
	"slices"
)

// Member is an instance that may own tenants.
type Member struct {
	Instance string
	Tenants  []string // that it can serve, by its configuration; none while it leaves
}

// Phase is how far an instance has come with a tenant that it holds.
type Phase string

// The phases of a tenant that is held; "" is one that is not.
const (
	Running  Phase = "running" // claimed, its stages starting or started
	Stopping Phase = "stopping"
)

// View is all that a decision is made from.
type View struct {
	Living []Member         // whose lease lives as far as is known; ourselves only by our own lease
	Lapsed map[string]bool  // instances whose lease is over, to be confirmed before a claim of theirs is taken
	Claims map[string]Claim // by tenant
	Held   map[string]Phase // by tenant: what we hold
}

// Verb is what is to be done about a tenant.
type Verb string

// What can be done.
const (
	Take    Verb = "take"
	Keep    Verb = "keep"
	GiveUp  Verb = "give up" // stop it, then release
	Release Verb = "release" // a claim in our name that no tenure stands behind
)

// Act is one decision.
type Act struct {
	Tenant string
	Verb   Verb
	Claim  Claim  // as it was when this was decided: only that one may be replaced
	From   string // of a Take: the lapsed owner, "" if the claim is free or our own
}

// Decide says what self should do, tenant by tenant in the order of their names.
// There is no act where self has to wait or nothing to do; and none at all without
// a lease of its own, for then its tenures have ended by themselves.
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

// wanted is who should own each tenant, of those that serve it.
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
		return a, false // what comes next is decided once it has stopped
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
		return a, false // its owner lives, and will give it up
	}
	return a, true
}
