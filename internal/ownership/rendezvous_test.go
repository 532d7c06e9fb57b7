package ownership

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// names draws distinct instance names, alike ones as hosts have them among them.
func names() *rapid.Generator[[]string] {
	name := rapid.OneOf(rapid.StringMatching(`dispatcher-[0-9]`), rapid.StringMatching(`[a-z]{1,8}-[0-9]{1,5}`))
	return rapid.SliceOfNDistinct(name, 1, 8, rapid.ID[string])
}

func owners(living []string) map[string]string {
	out := map[string]string{}
	for i := range 200 {
		t := fmt.Sprintf("tenant-%d", i)
		out[t] = Rendezvous(t, living)
	}
	return out
}

// Instances of different versions run side by side: the choice must never change.
func TestRendezvousStaysAsItIs(t *testing.T) {
	living := []string{"a", "b", "c"}
	got := map[string]string{"none": Rendezvous("acme", nil)}
	for _, tenant := range []string{"acme", "globex", "initech", "umbrella", "hooli", "stark"} {
		got[tenant] = Rendezvous(tenant, living)
	}
	want := map[string]string{
		"none": "", "acme": "c", "globex": "c", "initech": "c", "umbrella": "b", "hooli": "b", "stark": "b",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRendezvousDependsOnNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		living := names().Draw(t, "living")
		shuffled := rapid.Permutation(living).Draw(t, "shuffled")
		if d := cmp.Diff(owners(living), owners(shuffled)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestRendezvousMovesOnlyWhatItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		living := names().Draw(t, "living")
		one := rapid.SampledFrom(living).Draw(t, "leaving or joining")
		rest := slices.DeleteFunc(slices.Clone(living), func(i string) bool { return i == one })
		with, without := owners(living), owners(rest)
		for tenant, owner := range with {
			if owner != one && without[tenant] != owner {
				t.Fatalf("%s moved from %s to %s though it was %s that left", tenant, owner, without[tenant], one)
			}
		}
	})
}

func TestRendezvousSpreadsEvenly(t *testing.T) {
	for _, n := range []int{2, 3, 5, 8} {
		var living []string
		for i := range n {
			living = append(living, fmt.Sprintf("dispatcher-%d", i))
		}
		const tenants = 10_000
		counts := map[string]int{}
		for i := range tenants {
			counts[Rendezvous(fmt.Sprintf("tenant-%d", i), living)]++
		}
		for _, i := range living {
			if share := float64(counts[i]) * float64(n) / tenants; share < 0.9 || share > 1.1 {
				t.Errorf("of %d instances %s has %.2f of its even share", n, i, share)
			}
		}
	}
}
