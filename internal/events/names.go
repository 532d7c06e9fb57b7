// Package events holds the words that every part of the bridge shares: what an
// event, a stage and a failure are called, the subjects they travel on, and how
// a CloudEvent is built, encoded and read.
//
// It decides nothing, speaks to no network and knows no other package of the
// bridge but the schemas that its events must satisfy. Every package may import it.
package events

import (
	"encoding/json"
	"time"
)

// Noun is what an order is: Weiban's work order or opportunity.
type Noun string

// The nouns.
const (
	WorkOrder   Noun = "work_order"  // 工单
	Opportunity Noun = "opportunity" // 商机
)

// Stage is one of the dispatcher's two steps.
type Stage string

// The stages, in the order in which an event passes them.
const (
	Enrich Stage = "enrich" // calls only Weiban
	Handle Stage = "handle" // calls only Kingdee
)

// Outcome is how an event ended in Kingdee.
type Outcome string

// The outcomes.
const (
	Applied    Outcome = "applied"    // Kingdee holds one more handling record
	Superseded Outcome = "superseded" // a later event had been applied already
	Ignored    Outcome = "ignored"    // no rule wants it, or it was applied before
	Dead       Outcome = "dead"       // a dead letter waits for a person
)

// Origin is how we came to know of an event.
type Origin string

// The origins.
const (
	FromCallback  Origin = "callback"
	FromPoll      Origin = "poll"
	FromReconcile Origin = "reconcile"
	FromBackfill  Origin = "backfill"
)

// Enriched is the data of an enriched event. Callback is the data of the callback's
// event, WorkOrder or Opportunity the vendor's object of the detail page: nothing is
// lost, nothing rounded. A member of the object that came in a form that the page does
// not document has a documented one, or is left out; Original has what came, by the
// JSON pointer of its place in the data. See [Enriched.AsSent]. The detail is the
// state at FetchedAt, not at the callback's time.
type Enriched struct {
	Callback    json.RawMessage `json:"callback"`
	FetchedAt   time.Time       `json:"fetched_at"`
	UpdatedAt   *time.Time      `json:"updated_at,omitempty"`
	WorkOrder   json.RawMessage `json:"work_order,omitempty"`
	Opportunity json.RawMessage `json:"opportunity,omitempty"`

	Original map[string]json.RawMessage `json:"original,omitempty"`
}
