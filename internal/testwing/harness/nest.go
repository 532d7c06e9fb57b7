//go:build unix

package harness

import (
	"os/exec"
	"runtime"
)

// nest starts processes from one thread that lives as long as the installation:
// where the kernel can end a child together with its parent, it takes the thread
// for the parent.
type nest struct{ jobs chan func() }

func newNest() *nest {
	n := &nest{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		for do := range n.jobs {
			do()
		}
	}()
	return n
}

func (n *nest) start(c *exec.Cmd) error {
	dieWithParent(c)
	started := make(chan error)
	n.jobs <- func() { started <- c.Start() }
	return <-started
}

// close ends the thread; what was started from it must be gone by then.
func (n *nest) close() { close(n.jobs) }
