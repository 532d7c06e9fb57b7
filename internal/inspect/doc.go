// Package inspect tells what is known of orders: the history of one, the balance of all,
// the recorded events, the state of the store.
//
// It only reads, from streams, buckets and letters, and needs no owner. The subcommands
// and package operate call it.
package inspect
