package ownership_test

import (
	"fmt"

	"gongdan-bridge/internal/ownership"
)

// Two replicas share a view of four tenants and so agree: each tenant is wanted by
// one of them. The claim of a replica whose lease is over is taken from it.
func ExampleDecide() {
	tenants := []string{"acme", "dyna", "gild", "jade"}
	view := ownership.View{
		Living: []ownership.Member{{Instance: "node-1", Tenants: tenants}, {Instance: "node-2", Tenants: tenants}},
		Lapsed: map[string]bool{"node-3": true},
		Claims: map[string]ownership.Claim{"acme": {Instance: "node-3", Revision: 7}},
	}
	for _, self := range []string{"node-1", "node-2"} {
		for _, act := range ownership.Decide(view, self) {
			fmt.Printf("%s: %s %s from %q\n", self, act.Verb, act.Tenant, act.From)
		}
	}
	// Output:
	// node-1: take jade from ""
	// node-2: take acme from "node-3"
	// node-2: take dyna from ""
	// node-2: take gild from ""
}

// A replica keeps the tenant that it holds until another replica comes that is
// wanted for it. Then it gives the tenant up.
func ExampleDecide_giveUp() {
	serves := func(instances ...string) (living []ownership.Member) {
		for _, i := range instances {
			living = append(living, ownership.Member{Instance: i, Tenants: []string{"acme"}})
		}
		return living
	}
	view := ownership.View{
		Living: serves("node-1"),
		Claims: map[string]ownership.Claim{"acme": {Instance: "node-1"}},
		Held:   map[string]ownership.Phase{"acme": ownership.Running},
	}
	fmt.Println("alone:", ownership.Decide(view, "node-1")[0].Verb)
	view.Living = serves("node-1", "node-2", "node-3")
	wanted := ownership.Rendezvous("acme", []string{"node-1", "node-2", "node-3"})
	fmt.Println(wanted, "is wanted:", ownership.Decide(view, "node-1")[0].Verb)
	// Output:
	// alone: keep
	// node-2 is wanted: give up
}
