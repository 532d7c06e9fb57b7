package natsd

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// lock locks the store's directory until release is called or the process ends, in any
// way: no other process can open the file. The server itself would let two processes
// share one store, and lose the messages of both.
func lock(dir string) (release func() error, err error) {
	path := filepath.Join(dir, "lock")
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, syscall.Errno(32)) { // ERROR_SHARING_VIOLATION
		return nil, fmt.Errorf("store %s is in use by another process: stop it, or use another directory", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() error { return syscall.CloseHandle(h) }, nil
}
