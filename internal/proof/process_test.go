package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is one that is kept running: whenever its process ends, another one is
// started after a moment. Its processes are signalled by their id alone.
type program struct {
	name  string
	log   *os.File
	make  func() *exec.Cmd
	env   func() []string // more for the next process; may be nil
	pause func() time.Duration

	mu      sync.Mutex
	cmd     *exec.Cmd
	stopped bool // by SIGSTOP
	killed  int  // ended by SIGKILL, its own or ours
	failed  int  // ended by itself, with an error
	last    error
	quit    context.CancelFunc
	done    chan struct{}
}

// keep runs a program until the test ends.
func keep(t *testing.T, dir, name string, dice *rand.Rand, make func() *exec.Cmd, env func() []string) *program {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, quit := context.WithCancel(context.Background())
	var mu sync.Mutex
	p := &program{name: name, log: log, make: make, env: env, quit: quit, done: doneChan()}
	p.pause = func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(20+dice.IntN(250)) * time.Millisecond
	}
	go p.run(ctx)
	t.Cleanup(func() { p.end() })
	return p
}

func doneChan() chan struct{} { return make(chan struct{}) }

func (p *program) run(ctx context.Context) {
	defer close(p.done)
	for ctx.Err() == nil {
		if err := p.once(ctx); err != nil {
			p.mu.Lock()
			p.last = err
			p.mu.Unlock()
		}
		wait(ctx, p.pause())
	}
}

// once is one process from its start to its end.
func (p *program) once(ctx context.Context) error {
	cmd := p.make()
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.Env = append(os.Environ(), cmd.Env...)
	if p.env != nil {
		cmd.Env = append(cmd.Env, p.env()...)
	}
	p.mu.Lock()
	if ctx.Err() != nil {
		p.mu.Unlock()
		return nil
	}
	err := cmd.Start()
	p.cmd, p.stopped = cmd, false
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	err = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	exit := new(exec.ExitError)
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
			p.killed++
			return nil
		}
	}
	if err != nil {
		p.failed++
	}
	return err
}

// send signals the process that runs now; false if none does.
func (p *program) send(s syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return false
	}
	switch s {
	case syscall.SIGSTOP:
		p.stopped = true
	case syscall.SIGCONT:
		p.stopped = false
	}
	return p.cmd.Process.Signal(s) == nil
}

// hold stops the process for a while, then wakes it.
func (p *program) hold(ctx context.Context, d time.Duration) {
	if p.send(syscall.SIGSTOP) {
		wait(ctx, d)
		p.send(syscall.SIGCONT)
	}
}

func (p *program) deaths() (killed, failed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed, p.failed
}

// end kills the process and starts no other.
func (p *program) end() {
	p.quit()
	p.send(syscall.SIGCONT)
	p.send(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.send(syscall.SIGKILL)
		<-p.done
	}
	_ = p.log.Close() // only read by people
}

// wait is a pause that ends with ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// until polls ok until it says yes; it fails with what it said last.
func until(t *testing.T, patience, every time.Duration, what string, ok func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		yes, said := ok()
		if yes {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: not after %v: %s", what, patience, said)
		}
		wait(ctx, every)
	}
}
