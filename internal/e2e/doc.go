// Package e2e holds the tests that look at the bridge from outside only: the
// real binaries as child processes between the simulated vendors, the bus as any
// other service sees it, what the commands print, and how they end.
//
// It exports nothing and knows nothing of the bridge's inside; what it needs in
// order to run an installation is package harness, which a longer run may use as
// well.
package e2e
