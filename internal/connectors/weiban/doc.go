// Package weiban speaks with the Weiban assistant (微伴助手): it opens the
// callbacks that Weiban sends, and reads the details behind them.
//
// A [Codec] verifies and decrypts what arrives at the callback endpoint, and
// [ParseNotice] reads the notice inside. A [Client] fetches work orders (工单),
// opportunities (商机) and staff (员工) over a [connectors.Account], with one
// access token shared by all processes. The types hold every member of
// Weiban's pages, and read whatever form those pages show it in.
//
// It refuses to guess: what does not verify is never decrypted, an answer about
// another order than the one asked for is an error, and a callback is tied to a
// processing-flow row only where one row can be meant. It writes nothing to
// Weiban. The endpoint (package ingest) uses the codec and the notice, the
// dispatcher the client, the mapping the types.
package weiban
