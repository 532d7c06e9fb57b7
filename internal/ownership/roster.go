package ownership

import (
	"slices"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
)

// sighting is the last seen state of an instance's lease.
type sighting struct {
	revision uint64    // 0: not seen yet, or deleted
	at       time.Time // when it was written, by the server's clock
	since    time.Time // when this revision was first seen, by our monotonic clock
	gone     bool      // it has no record: only a lease that is over is deleted
	tenants  []string
}

// claimed is the last seen state of a tenant's claim.
type claimed struct {
	Claim
	at      time.Time // when it was written, by the server's clock
	present bool
}

// newer reports whether e was written after a revision of its key that was written at.
// Revisions alone do not tell: a bucket that was created again counts from 1.
func newer(e bus.Entry, revision uint64, at time.Time) bool {
	return e.Revision > revision || e.Revision < revision && e.Time.After(at)
}

// roster holds the last seen leases and claims. It ignores older entries, so that reads
// and the watch may arrive in any order.
type roster struct {
	self   string
	expire time.Duration

	mu     sync.Mutex
	peers  map[string]sighting // by instance, without ourselves
	claims map[string]claimed  // by tenant
}

func newRoster(self string, expire time.Duration) *roster {
	return &roster{self: self, expire: expire, peers: map[string]sighting{}, claims: map[string]claimed{}}
}

// sawBeat notes an instance's lease, or its deletion. It returns true if that changes which
// instances live or what they serve.
func (r *roster) sawBeat(instance string, e bus.Entry, now time.Time) bool {
	if instance == r.self {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was, known := r.peers[instance]
	if known && !newer(e, was.revision, was.at) {
		return false
	}
	is := sighting{revision: e.Revision, at: e.Time, since: now, gone: e.Deleted}
	if !is.gone {
		is.tenants = decodeBeat(e).Tenants
	}
	r.peers[instance] = is
	return was.living(now, r.expire) == is.gone || !slices.Equal(was.tenants, is.tenants)
}

// over is true once its holder cannot act under the lease any more.
func (s sighting) over(now time.Time, expire time.Duration) bool {
	return s.gone || now.Sub(s.since) >= expire
}

func (s sighting) living(now time.Time, expire time.Duration) bool {
	return s.revision != 0 && !s.over(now, expire)
}

// missedBeat notes that an instance's lease has no record.
func (r *roster) missedBeat(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers[instance] = sighting{gone: true}
}

// sawClaim notes a tenant's claim, or its deletion. It returns true if that is new.
func (r *roster) sawClaim(tenant string, e bus.Entry, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, known := r.claims[tenant]; known && !newer(e, was.Revision, was.at) {
		return false
	}
	is := claimed{Claim: Claim{Revision: e.Revision}, at: e.Time, present: !e.Deleted}
	if is.present {
		is.Claim = decodeClaim(e)
		if _, known := r.peers[is.Instance]; !known && is.Instance != r.self {
			r.peers[is.Instance] = sighting{since: now}
		}
	}
	r.claims[tenant] = is
	return true
}

// missedClaim notes that a tenant's claim has no record.
func (r *roster) missedClaim(tenant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claims[tenant] = claimed{}
}

// claim returns the tenant's claim, the zero claim if there is none.
func (r *roster) claim(tenant string) Claim {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.claims[tenant]; c.present {
		return c.Claim
	}
	return Claim{}
}

// lease returns the last seen state of an instance's lease, and whether it was over then.
func (r *roster) lease(instance string, then time.Time) (s sighting, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, known := r.peers[instance]
	return s, known && s.over(then, r.expire)
}

// instances returns all known peers.
func (r *roster) instances() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.peers))
	for i := range r.peers {
		out = append(out, i)
	}
	return out
}

// view returns the roster's part of a decision's input.
func (r *roster) view(now time.Time) View {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := View{Lapsed: map[string]bool{}, Claims: map[string]Claim{}}
	for i, p := range r.peers {
		if p.over(now, r.expire) {
			v.Lapsed[i] = true
		} else if p.living(now, r.expire) {
			v.Living = append(v.Living, Member{Instance: i, Tenants: p.tenants})
		}
	}
	for t, c := range r.claims {
		if c.present {
			v.Claims[t] = c.Claim
		}
	}
	return v
}

// nextLapse returns the time until the next lease of a peer lapses, at most limit.
func (r *roster) nextLapse(now time.Time, limit time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		if !p.over(now, r.expire) {
			limit = min(limit, p.since.Add(r.expire).Sub(now))
		}
	}
	return limit
}

// forget drops the peers whose lease is gone and that no claim names.
func (r *roster) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	named := map[string]bool{}
	for _, c := range r.claims {
		named[c.Instance] = named[c.Instance] || !c.Released
	}
	for i, p := range r.peers {
		if p.gone && !named[i] {
			delete(r.peers, i)
		}
	}
}
