// Package ownership decides which dispatcher replica owns which tenant, and makes
// sure that two replicas never act for one tenant at the same time.
//
// Each replica (an instance) keeps a lease: the key alive.<instance>, renewed every
// few seconds by a write that compares. Each tenant has a claim: the key
// owner.<tenant>, taken by a write that compares, and spread over the living
// instances by rendezvous hashing. An instance holds a tenant by a [Tenure]. Seen from
// one instance, a tenant goes through these states:
//
//	unowned ──take──▶ claimed ──start──▶ running ──not wanted──▶ stopping ──▶ released
//	   ▲                 │                  │                       │            │
//	   │                 └──── lease over, claim changed, fenced ───┘            │
//	   │                                    ▼                                    │
//	   ├──── taken again, epoch + 1 ─────  lost                                  │
//	   └──── taken by the wanted instance, epoch + 1 ────────────────────────────┘
//
// In words:
//   - unowned: there is no claim, or it is released, or its owner's lease is over, or
//     it is our own without a tenure.
//   - claimed: our write of the claim was confirmed while our lease was valid. The
//     claim's revision is the fence of every write to a record; it does not change
//     during the tenure.
//   - running: the tenant's stages were started.
//   - stopping: another living instance is wanted, or we are leaving. The stages end
//     softly under the tenure; after a bound the tenure ends, and they end hard.
//   - released: the tenure is over and the claim says so. The next owner need not wait
//     for an expiry, and after a clean release not for calls that might still run.
//   - lost: the tenure ended while the stages ran: calls are cut off, and no write
//     succeeds.
//
// # Why two tenures never overlap
//
// No two machines' clocks are compared. A lease ends, for its holder, Expire − Margin
// after it sent its last confirmed renewal, by its own clock. Others judge it over
// once they have seen the same revision for Expire by their own clocks. They prove it
// by deleting that revision before they take a claim: the server refuses the deletion
// after a renewal. A lease without a record is over; no other program deletes leases.
// A renewal that is confirmed after the lease's end begins a new lease and revives no
// tenure: every claim is then taken again, by a write that compares. So the only
// assumptions are a server that is linearizable for compared writes and reads, and
// clocks that run at the same rate to within Margin in Expire.
//
// A process that was stopped and woken finds its lease over, because [Tenure.Check]
// reads the clock and does not wait for a timer. Linux's monotonic clock stands still
// while a machine is suspended, so the wall clock, compared with its own earlier
// reading, ends a lease too.
//
// The package does not know what runs for a tenant: it starts and stops it by
// callbacks. It deletes no claim. Package dispatch calls it; `dispatcher owners` reads
// through [Owners] without being a member.
package ownership
