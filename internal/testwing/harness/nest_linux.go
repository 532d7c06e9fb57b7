package harness

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel kill the child when a test that panicked leaves
// it behind.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
