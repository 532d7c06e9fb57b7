// Package mapping turns an enriched event into the Kingdee bill that it is about
// and the body of the handle-order call, by the rules that an integrator wrote.
//
// It is pure: it reads files when a mapping is loaded and nothing afterwards,
// calls no vendor, knows no clock, and gives the same body for the same event,
// tables and rules. It refuses a file with faults, naming all of them at once,
// and at run time it never fills a field with a guess: what cannot be known is a
// failure that names rule, field, expression and word. The dispatcher's handle
// stage calls it, and so do the commands that check, test and preview mappings.
//
// The language stands in docs/mapping.md, whose examples the tests run.
package mapping
