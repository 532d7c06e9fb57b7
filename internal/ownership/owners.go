package ownership

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
)

// Ownership is who owns a tenant, for a person to read.
type Ownership struct {
	Tenant   string    `json:"tenant"`
	Instance string    `json:"instance,omitempty"` // "" if it was never claimed
	Epoch    uint64    `json:"epoch"`
	Since    time.Time `json:"since,omitzero"`   // when the claim was taken or released, by the owner's clock
	Renewed  time.Time `json:"renewed,omitzero"` // when the owner's lease was last renewed, by the server's clock; zero if it has none
	Released bool      `json:"released,omitempty"`
}

func (c Claim) ownership(tenant string, renewed time.Time) Ownership {
	return Ownership{
		Tenant: tenant, Instance: c.Instance, Epoch: c.Epoch, Since: c.Since,
		Renewed: renewed, Released: c.Released,
	}
}

// Loader reads all keys below a prefix; a [bus.Bucket] is one.
type Loader interface {
	Load(ctx context.Context, prefix string, each func(bus.Entry) error) error
}

// Owners reads all claims, ordered by tenant, without being a member. A tenant that
// was never claimed is not among them.
func Owners(ctx context.Context, store Loader) ([]Ownership, error) {
	renewed := map[string]time.Time{}
	err := store.Load(ctx, alivePrefix, func(e bus.Entry) error {
		if instance, ok := named(alivePrefix, e.Key); ok {
			renewed[instance] = e.Time
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	found := map[string]Ownership{} // a claim that changes meanwhile may come twice
	err = store.Load(ctx, ownerPrefix, func(e bus.Entry) error {
		if tenant, ok := named(ownerPrefix, e.Key); ok {
			c := decodeClaim(e)
			found[tenant] = c.ownership(tenant, renewed[c.Instance])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	byTenant := func(a, b Ownership) int { return cmp.Compare(a.Tenant, b.Tenant) }
	return slices.SortedFunc(maps.Values(found), byTenant), nil
}
