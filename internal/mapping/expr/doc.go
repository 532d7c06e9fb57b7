// Package expr is the language of a mapping's expressions: CEL with the members
// of Weiban's objects declared, and with the helpers that an integrator needs.
//
// An expression is checked when a mapping is loaded: a misspelt member, a helper
// with the wrong arguments or a result of the wrong kind is an [Issue] with its
// place and the word that was meant. It reads one event and the tables and can
// do nothing else: no clock, no network, no state. It always ends: a cost limit
// bounds it, a deadline what loops, and helpers bound what they make. A value that
// is not there is an error that names the word, never an empty text.
//
// The page docs/mapping.md lists the variables with their members, and the helpers.
package expr
