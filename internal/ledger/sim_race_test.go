//go:build race

package ledger_test

// The race detector makes every history ten times as long, and the machine has
// no goroutines of its own.
const simSeedsDefault = 1_000
