package events

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Kind says what sort of failure something is. The set is closed. ledger.Treat decides
// the treatment of each kind. A new kind also needs a decision in the places that ask
// what a failure says about something else: Shelf, below; the breaker of a vendor's API
// and the quick tries (connectors, dispatch/wait); the advice of a letter
// (dispatch/store); the schema of outcomes; and docs/failures.md with both runbooks.
type Kind string

// The kinds of failure.
const (
	Unavailable Kind = "unavailable" // nothing ran: network, 5xx on a read, open breaker
	Throttled   Kind = "throttled"   // the vendor asks us to wait
	Denied      Kind = "denied"      // credentials refused, after one refresh
	Uncertain   Kind = "uncertain"   // a write that may have run
	Missing     Kind = "missing"     // the vendor does not know the order (yet)
	Rejected    Kind = "rejected"    // the vendor says no for business reasons
	Unmapped    Kind = "unmapped"    // the mapping cannot fill a field
	Invalid     Kind = "invalid"     // not decodable, or against its schema
	Internal    Kind = "internal"    // a fault of ours
	Interrupted Kind = "interrupted" // shutdown or lost ownership; given back
)

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{Unavailable, Throttled, Denied, Uncertain, Missing, Rejected, Unmapped, Invalid, Internal, Interrupted}
}

// Shelf is where a dead letter of a kind waits for a person: "business" where
// the integrator or the operator can repair it, "system" where we must.
func (k Kind) Shelf() string {
	switch k {
	case Rejected, Unmapped, Missing, Uncertain:
		return "business"
	default:
		return "system"
	}
}

// Failure is why something could not be done: the only error that decides
// anything. It is safe to log and to show: no secret and no URL is in it.
type Failure struct {
	Kind   Kind
	API    string        // the vendor's call, e.g. "weiban workorder/detail"; "" if none was made
	Code   string        // the vendor's own code, "" if it gave none
	Status int           // HTTP status, 0 if there was no answer
	Reason string        // one sentence for a person
	Wait   time.Duration // the wait that the vendor asked for, 0 if none

	// A failed mapping names its rule, target field, expression and the word
	// that was not found in a table.
	Rule, Field, Expr, Word string

	Err error // cause, for errors.Is and errors.As
}

// Error is the failure in one line: kind, call, code, reason.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	if f.API != "" {
		b.WriteString(": " + f.API)
	}
	if f.Code != "" {
		b.WriteString(": code " + f.Code)
	}
	if f.Reason != "" {
		b.WriteString(": " + f.Reason)
	}
	if f.Reason == "" && f.Err != nil {
		b.WriteString(": " + f.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// KindOf is the kind of the first Failure in err's chain; a cancelled context
// is Interrupted, any other error Internal, and nil has no kind.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return FailureOf(err).Kind
}

// FailureOf is the first Failure in err's chain, or one made of err by the rule
// of [KindOf]. It is nil only for nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.Canceled) {
		return &Failure{Kind: Interrupted, Reason: "stopped before it was done", Err: err}
	}
	return &Failure{Kind: Internal, Reason: err.Error(), Err: err}
}
