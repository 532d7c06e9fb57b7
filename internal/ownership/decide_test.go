package ownership

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	const tenant = "acme"
	serves := func(instances ...string) (out []Member) {
		for _, i := range instances {
			out = append(out, Member{Instance: i, Tenants: []string{tenant}})
		}
		return out
	}
	self := Rendezvous(tenant, []string{"a", "b"}) // of the two, the one that is wanted
	other := map[string]string{"a": "b", "b": "a"}[self]
	both := serves("a", "b")
	of := func(c Claim) map[string]Claim { return map[string]Claim{tenant: c} }
	holds := func(p Phase) map[string]Phase { return map[string]Phase{tenant: p} }

	for name, c := range map[string]struct {
		view View
		self string
		want []Act
	}{
		"nobody claimed it":                {View{Living: both}, self, []Act{{Tenant: tenant, Verb: Take}}},
		"nobody claimed it, not wanted":    {View{Living: both}, other, nil},
		"released":                         {View{Living: both, Claims: of(Claim{Instance: other, Released: true})}, self, []Act{{Tenant: tenant, Verb: Take}}},
		"released by ourselves":            {View{Living: both, Claims: of(Claim{Instance: other, Released: true})}, other, nil},
		"its owner lives":                  {View{Living: both, Claims: of(Claim{Instance: other})}, self, nil},
		"its owner lapsed":                 {View{Living: serves(self), Lapsed: map[string]bool{other: true}, Claims: of(Claim{Instance: other})}, self, []Act{{Tenant: tenant, Verb: Take, From: other}}},
		"its owner's lease just vanished":  {View{Living: serves(self), Claims: of(Claim{Instance: other})}, self, nil},
		"its owner lapsed, not wanted":     {View{Living: both, Lapsed: map[string]bool{"c": true}, Claims: of(Claim{Instance: "c"})}, other, nil},
		"held":                             {View{Living: both, Claims: of(Claim{Instance: self}), Held: holds(Running)}, self, []Act{{Tenant: tenant, Verb: Keep}}},
		"held, another is wanted":          {View{Living: both, Claims: of(Claim{Instance: other}), Held: holds(Running)}, other, []Act{{Tenant: tenant, Verb: GiveUp}}},
		"held, we are leaving":             {View{Living: []Member{{Instance: self}}, Claims: of(Claim{Instance: self}), Held: holds(Running)}, self, []Act{{Tenant: tenant, Verb: GiveUp}}},
		"stopping":                         {View{Living: both, Claims: of(Claim{Instance: other}), Held: holds(Stopping)}, other, nil},
		"stopping, and wanted again":       {View{Living: both, Claims: of(Claim{Instance: self}), Held: holds(Stopping)}, self, nil},
		"our claim, no tenure":             {View{Living: both, Claims: of(Claim{Instance: self})}, self, []Act{{Tenant: tenant, Verb: Take}}},
		"our claim, no tenure, not wanted": {View{Living: both, Claims: of(Claim{Instance: other})}, other, []Act{{Tenant: tenant, Verb: Release}}},
		"no lease of our own":              {View{Living: serves(other), Claims: of(Claim{Instance: self}), Held: holds(Running)}, self, nil},
		"only another serves it":           {View{Living: []Member{{Instance: self}, {Instance: other, Tenants: []string{tenant}}}}, self, nil},
		"the wanted one does not serve it": {View{Living: []Member{{Instance: self}, {Instance: other, Tenants: []string{tenant}}}}, other, []Act{{Tenant: tenant, Verb: Take}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Decide(c.view, c.self), cmpopts.IgnoreFields(Act{}, "Claim")); d != "" {
				t.Error(d)
			}
		})
	}
}

// Whoever shares a view agrees: of each tenant exactly one wants it, no two take or
// keep it, and nothing is taken from the living.
func TestDecideAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		living := names().Draw(t, "living")
		tenants := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{2,6}`), 1, 10, rapid.ID[string]).Draw(t, "tenants")
		instances := append([]string{"dead", "gone"}, living...)
		v := View{Lapsed: map[string]bool{"dead": true}, Claims: map[string]Claim{}}
		for _, i := range living {
			v.Living = append(v.Living, Member{Instance: i, Tenants: tenants})
		}
		held := map[string]map[string]Phase{}
		for _, tenant := range tenants {
			if !rapid.Bool().Draw(t, "claimed") {
				continue
			}
			c := Claim{Revision: 7, Instance: rapid.SampledFrom(instances).Draw(t, "owner"), Released: rapid.Bool().Draw(t, "released")}
			v.Claims[tenant] = c
			if !c.Released && rapid.Bool().Draw(t, "held") {
				held[c.Instance] = map[string]Phase{tenant: Running}
			}
		}
		acting := map[string]int{}
		for _, self := range living {
			mine := v
			mine.Held = held[self]
			for _, a := range Decide(mine, self) {
				c, claimed := v.Claims[a.Tenant]
				if a.Claim != c {
					t.Fatalf("%s decided %v on a claim that is not %v", self, a, c)
				}
				switch a.Verb {
				case Take:
					acting[a.Tenant]++
					if claimed && !c.Released && c.Instance != self && c.Instance != "dead" {
						t.Fatalf("%s takes %s from %s, whose lease may live", self, a.Tenant, c.Instance)
					}
					if (a.From == "dead") != (claimed && !c.Released && c.Instance == "dead") {
						t.Fatalf("%s takes %s, claimed by %v, from %q", self, a.Tenant, c, a.From)
					}
				case Keep:
					acting[a.Tenant]++
				}
			}
		}
		wanted := v.wanted()
		for _, tenant := range tenants {
			if wanted[tenant] == "" || acting[tenant] > 1 {
				t.Fatalf("%s is wanted by %q, and %d act for it", tenant, wanted[tenant], acting[tenant])
			}
		}
	})
}
