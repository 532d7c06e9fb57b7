// Package harness runs whole installations of the bridge on one machine, from
// the real binaries, as child processes that can be stopped, killed, suspended
// and started again at any moment: ingest, one or more dispatchers and, if
// wanted, NATS servers of their own. A program's main work may run in the caller's
// process instead. The two vendors are the simulated ones, inside the caller's
// process, and every credential that passes between them and the bridge is
// remembered.
//
// It takes no part in the bridge: it writes a configuration as an operator
// would, posts callbacks as Weiban does, and listens to the bus as any other
// service may. It judges nothing; that is the caller's: the end-to-end tests, the
// proofs, and the sandbox's own test. It works on unix alone, for it needs signals.
package harness
