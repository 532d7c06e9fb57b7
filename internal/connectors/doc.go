// Package connectors holds what both vendors' clients need to call out: a [Account]
// per vendor account, which paces, bounds, observes and breaks calls, and a
// [Shared] credential, which all processes fetch once and use together.
//
// It knows no vendor: paths, codes and credentials belong to the packages below
// it. It refuses to retry (the caller decides that, by the failure's kind), to
// follow redirects, to reuse a connection for a write, and to let a URL's query
// reach a span, a metric or an error.
package connectors
