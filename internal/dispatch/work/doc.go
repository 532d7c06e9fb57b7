// Package work does what an order's ledger asks for: it reads the detail, runs the mapping,
// finds the bill, reads its status, makes the handle-order and looks for one in doubt. Each
// is one function from a message or a ledger action to a ledger input.
//
// It keeps nothing between two calls and decides nothing about an order. What it learns of
// a vendor's API it tells package wait. Package dispatch calls it, each function in a
// goroutine of its own.
package work

import (
	"context"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/orders"
)

// Vendors are a tenant's mapping and the clients of its two vendors.
type Vendors struct {
	Mapping func() *mapping.Mapping // the one in force; asked once an event
	// Fresh brings the mapping's tables up to date before a replay is planned; nil
	// if they do not change.
	Fresh func(context.Context) error

	Weiban  *weiban.Client
	Kingdee *kingdee.Client
	Photos  Photos // nil: pictures are passed on by their address
	Quick   wait.Quick
}

// Photos puts the addresses that the pictures of a body have at Kingdee in the
// place of their sources, right before every handle-order; left tells of those
// that the body goes without. Its error is an *events.Failure. Nothing that it has
// done matters until the call is made, and it may be asked again.
type Photos interface {
	Ready(ctx context.Context, body kingdee.Body) (_ kingdee.Body, left []string, err error)
}

// Owner is what the work needs of the tenant's owner.
type Owner interface {
	// Begin waits until no call of an owner before can be running, and returns the
	// context of one call: it ends with the tenure.
	Begin(ctx context.Context) (context.Context, context.CancelFunc, error)
	// RecordsLost reports whether orders' records are known to be lost.
	RecordsLost() bool
	// Proved puts on record that the query for handling records has found one of ours.
	Proved(ctx context.Context)
	// Applied visits the outcome events of applied calls until visit has seen enough.
	Applied(ctx context.Context, visit func(bus.Stored) (more bool)) error
	// Alert tells people of something about an order.
	Alert(order orders.ID, a ledger.Alert)
}

// Tenant is what the work on all orders of an owned tenant has in common.
type Tenant struct {
	Vendors
	Name    string
	Owner   Owner
	APIs    *wait.APIs
	Proof   *wait.QueryProof
	Doubles *wait.Doubles

	Events      *events.Codec
	MaxPayload  func() int64  // bytes that the NATS server takes
	ProbeDenied time.Duration // how long an API rests after refused credentials
	Log         *slog.Logger
	Crash       func(point string) // where a test build may die
}

// Order is the work on one order.
type Order struct {
	*Tenant
	ID orders.ID
}
