// Package dispatch runs the tenants that this process owns: of each, the stage enrich, which
// reads an event's detail from Weiban, and the stage handle, which turns the enriched event
// into Kingdee's handle-order.
//
// It decides nothing about an order: package ledger does, and dispatch carries out its
// actions. Nor does it decide who owns a tenant: package ownership does. Everything of one
// order passes through one actor, a step at a time, and every record is written under the
// owner's claim. Package app runs it. People act through the owner, with the requests of
// package orders.
//
// # The way of one message
//
//	intake.receive     the consumer's goroutine: is the delivery in order?
//	owner.bring        waits for a slot of the queue, finds or makes the order's actor
//	actor.post         into the inbox; a goroutine runs the actor until the inbox is empty
//	actor.take         loads the order from its record if need be, reads the message
//	actor.feed         one ledger.Step; its actions are carried out in their order
//	actor.carryOut     writes, publishes, acknowledges at once
//	actor.start        begins an act beside the actor: work.Order's Fetch, Plan, ReadBill,
//	                   CheckStatus, Call (the handle-order) or Look
//	result.take        what the act found is kept, and its input is fed to the ledger
//
// A callback goes this way twice: from CALLBACKS through the queue of stage enrich, which
// publishes the enriched event to EVENTS; and from there through the queue of stage handle.
// In the ledger an input named X is treated by the method x of its step: Fetched by fetched.
//
// # Locks
//
// A goroutine that holds a lock takes only locks that come later in this list:
//
//	Dispatcher.mu
//	owner.mu
//	inbox.mu          of one actor
//	Availability.mu   of package wait
//	Space.mu          and the other locks of package wait, one at a time
//	the locks of a connectors.Account
//
// The lock of an ownership.Runner is taken before Dispatcher.mu or without it. No lock is
// held while a vendor, NATS or a channel is waited for.
package dispatch
