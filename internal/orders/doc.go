// Package orders names what a tenant's owner, the subcommands and the console share: an
// order, its queue, its keys in bucket STATE, its record, and the requests that an
// operator puts to the owner.
//
// It decides nothing and keeps nothing. Packages dispatch, inspect, retention and operate
// build on it; it knows none of them.
package orders
