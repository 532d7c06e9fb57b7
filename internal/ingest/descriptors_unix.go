//go:build linux || darwin

package ingest

import "syscall"

// Descriptors is how many files and connections the process may have open; 0 where that
// cannot be told.
func Descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}
