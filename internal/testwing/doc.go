// Package testwing holds no code. The packages below it exist for tests: the two
// simulated vendors (fakeweiban, fakekingdee) on their common skeleton
// (fakevendor), what goes wrong in them (script), streams and buckets in memory
// (memory), a real bus for a test (bustest), what every vendor's client must stand
// (connectortest), and whole installations of the real programs (harness).
//
// Only tests, the sandbox and the test wing itself import them; `go test .`
// refuses anything else.
package testwing
