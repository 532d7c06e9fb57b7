// Package retention keeps the streams within their limits: it knows who still needs which
// message, and removes the oldest that are not needed.
//
// It never removes a message that a consumer of the bridge, a tenant without an owner or a
// waiting order needs, whatever the limit; then it raises an alarm. A consumer of another
// service holds messages up to a share of the stream, and an alarm names it long before. Package dispatch runs one [Trimmer] in
// each replica.
package retention
