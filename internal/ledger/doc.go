// Package ledger is the record of one order as a pure state machine: inputs in,
// actions out. It decides whether a call is made, waited for or given to a person,
// and whether a call that may have run is repeated. A try that surely did not run may
// be repeated below it, within one [Call]: by dispatch/wait.Quick and by the vendors'
// clients.
//
// It does no I/O, has no clock, no goroutine and no randomness: time, jitter and
// what is known of the vendors' APIs come in with every input as a [Moment]. It
// refuses to know NATS, HTTP or the mapping. Package dispatch calls it: one
// actor an order feeds [Step] and carries out what it answers.
//
// # The contract with the driver
//
// A record belongs to one actor at a time. Actions are carried out in their
// order, and none before the one ahead of it is confirmed: what stands behind a
// [Write] or [Publish] relies on it. [Fetch], [Plan], [ReadBill], [Enter],
// [CheckStatus], [Call], [Look] and [Next] are begun and answered by one input
// each; the rest is done at once. A driver that cannot finish a list evicts the
// order and loads it again ([Open], [Takeover]); nothing in memory is needed to
// go on. Fences make a stale owner's Write fail.
//
// # A message at its stage
//
//	           Delivered           Delivered, order busy
//	stream ────────┬──────────────────────────────▶ held, or acknowledged
//	               │ order free                     behind a recorded head
//	               ▼                                     │ Next, once the
//	   ┌──────▶ current ◀────────────────────────────────┘ order is free
//	   │           │   │
//	   │ due       │   └─ cannot now ─▶ WAITING HEAD   recorded, listed, acknowledged
//	   │ resumed   │                      backoff       try again at Next
//	   │ a person  │                      paused        its API is down or throttled
//	   └───────────┼───────────────────── denied        credentials were refused
//	               │                      bill          no bill yet, or another order has it
//	               │                      doubt         looks are due (below)
//	               │                      letter        only a person moves it
//	               ▼                      running       current, too many followers to hold
//	           settled: verdict and cursor written ─▶ published ─▶ acknowledged ─▶ Next
//
// Every message at or below a stage's cursor has had its verdict (enriched;
// applied, superseded, ignored or dead); a copy that comes again is dropped. The
// head is always the lowest message above the cursor, so verdicts come in the
// stream's order and none is skipped. What a head waits for and all that was
// acknowledged without a verdict is listed (the wait key) from before it is
// written until after it is published.
//
// # An effect (one handle-order)
//
//	mapped ─▶ INTENT ── success ──────────────────────────────▶ APPLIED
//	           │ ▲ │── nothing ran ─▶ withdrawn, head waits         ▲
//	           │ │ └── refused ─────▶ DEAD, letter                  │
//	           │ │                     ▲                            │
//	no answer  │ │ same body,          │ discarded, expiring        │ found, or
//	or found   │ │ same marker         │                            │ a person's
//	by a new   ▼ │                     │                            │ word
//	owner    IN DOUBT ── look at deadline +10 s, +60 s ─────────────┤
//	           │ ▲ │ absent, and absence can be believed: resend    │
//	           │ │ └─▶ (back to INTENT, later each time)            │
//	           ▼ │ send again, look again                           │
//	         LETTER: absence not believed, answer not understood ───┘
//
//	no call at all: SUPERSEDED (late, rule says skip), IGNORED (no rule, duplicate, dry run)
//	a dead effect runs again by replay; one that may have run is looked for first
//	an applied effect runs again only by a forced replay, as a new generation
//
// A call is never made without its intent, body and marker confirmed on record;
// a resend never without a look right before it that found nothing and could
// have found something. What remains possible, Kingdee committing after that
// look, is looked for once more after a while and raises an [Alert].
package ledger
