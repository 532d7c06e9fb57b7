//go:build !race

package dispatch_test

// simDefault is how many histories the simulation plays.
const simDefault = 10_000
