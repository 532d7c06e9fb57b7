// Package proof runs the bridge against the simulated vendors and real JetStream
// and holds it against its promises: nothing accepted is lost, no handling record
// is doubled, order per bill is kept, no quota is breached, and an outage is not
// a disaster.
//
// It holds tests alone. What is about deaths works on the real programs, built with
// the tag crashpoints, and on NATS servers in processes of their own; the others
// run the same assembly in this process, with time scaled by the configuration's
// intervals. Installations come from package testwing/harness. Every test prints its
// seed; GONGDAN_SEED repeats one.
package proof
