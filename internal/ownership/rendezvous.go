package ownership

import "hash/fnv"

// Rendezvous returns the instance that should own the tenant: the living instance with the
// highest weight for it, "" if none lives. The result depends on the names only, in any
// order, so that instances that see the same living ones agree. An instance that leaves
// moves only its own tenants; one that joins takes only the tenants that become its own.
func Rendezvous(tenant string, living []string) string {
	best, highest := "", uint64(0)
	for _, instance := range living {
		w := weight(tenant, instance)
		if best == "" || w > highest || w == highest && instance < best {
			best, highest = instance, w
		}
	}
	return best
}

// weight is FNV-1a with murmur's finaliser: without it names that differ in the last
// character only would get almost equal weights.
func weight(tenant, instance string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(instance)) // a hash never fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(tenant))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
