// Package drift compares a vendor's documents with what our types know of them:
// members that the types do not know, known ones that are gone, and values of
// another type.
//
// A [Tree] is what is known of one kind of document, built once from a Go type.
// Its [Tree.Look] walks a document's JSON without decoding it. A [Counter]
// counts what it finds as a metric while documents are read; a [Report] collects
// it from documents that were recorded. A finding names the member's path and its
// JSON types. Values do not leave this package, nor do names that look like data.
//
// It decides nothing: a document that drifts is used as ever. The vendors'
// clients and the endpoint ask the counter, the command `dispatcher drift` the
// report.
package drift
