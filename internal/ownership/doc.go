// Package ownership decides which dispatcher replica owns which tenant, and makes
// sure that at no moment two of them act for the same one.
//
// Each replica (an instance) keeps a lease: the key alive.<instance>, renewed every
// few seconds by a write that compares. Each tenant has a claim: the key
// owner.<tenant>, taken by a write that compares, spread over the living by
// rendezvous hashing. What an instance holds a tenant by is a [Tenure]. A tenant
// goes through these states, as one instance sees it:
//
//	unowned ──take──▶ claimed ──start──▶ running ──not wanted──▶ stopping ──▶ released
//	   ▲                 │                  │                       │            │
//	   │                 └──── lease over, claim changed, fenced ───┘            │
//	   │                                    ▼                                    │
//	   ├──── taken anew, epoch + 1 ──────  lost                                  │
//	   └──── taken by whoever is wanted, epoch + 1 ──────────────────────────────┘
//
// In words:
//   - unowned: no claim, a released one, one of an owner whose lease is over, or one
//     of our own that no tenure stands behind.
//   - claimed: our write of the claim was confirmed while our lease lived. Its
//     revision is the fence under which every record is written; it never changes
//     while the tenure lasts.
//   - running: the tenant's stages were started.
//   - stopping: another living instance is wanted, or we are leaving. The stages end
//     softly, the tenure still holds; after a bound it is ended, and they end hard.
//   - released: the tenure is over and the claim says so. The next owner need not
//     wait for an expiry; where it says clean, nor for calls that might still run.
//   - lost: the tenure ended under the stages: calls are cut off, nothing is written.
//
// # Why two tenures never overlap
//
// No two machines' clocks are compared. A lease ends, for its holder, Expire − Margin
// after it sent its last confirmed renewal, by its own clock. Others judge it over
// once they have seen the same revision for Expire by their own clocks, and prove it
// by deleting that revision before they take a claim: the server refuses if there
// has been a renewal. A lease that is not on record is over; nobody else deletes one.
// A renewal that is confirmed after the lease's end begins a new lease and revives no
// tenure: every claim is then taken anew, by a write that compares. So the only
// assumptions are a server that is linearizable for compared writes and reads, and
// clocks that run at the same rate to within Margin in Expire.
//
// A process that was stopped and woken finds its lease over because [Tenure.Check]
// reads the clock itself and waits for no timer. Linux's monotonic clock stands still
// while a machine is suspended, so the lease is also over when the wall clock, compared
// with itself alone, says so.
//
// The package refuses to know what runs for a tenant: it starts and stops it by
// callbacks. It deletes no claim. Dispatch calls it; `dispatcher owners` reads
// through [Owners] without being a member.
package ownership
