//go:build race

package dispatch_test

// simDefault is how many histories the simulation plays, under the race detector.
const simDefault = 400
