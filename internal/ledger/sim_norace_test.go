//go:build !race

package ledger_test

const simSeedsDefault = 10_000
