//go:build unix

package harness

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// Ending is how a process ended.
type Ending int

// The endings that a keeper tells apart.
const (
	Stopped Ending = iota // with status 0
	Failed                // with another status, or not even started
	Killed                // by a SIGKILL of the test's
	Died                  // by a SIGKILL of its own
)

// Keeping are the settings of [Process.Keep].
type Keeping struct {
	Pause func() time.Duration   // before each start but the first
	Env   func() []string        // of the next start, beside the process's own; may be nil
	Ended func([]string, Ending) // is called at each end, with the values of Env; may be nil
}

// Keep starts the process, and starts it again after every end, until the returned function
// is called. That ends the process by SIGTERM, and by SIGKILL once ctx has ended. While
// the process is kept it may be signalled, but not started.
func (p *Process) Keep(k Keeping) (end func(ctx context.Context)) {
	own := p.Env
	ctx, quit := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			var more []string
			if k.Env != nil {
				more = k.Env()
			}
			p.Env = append(own[:len(own):len(own)], more...)
			how := p.once(ctx)
			if k.Ended != nil {
				k.Ended(more, how)
			}
			select {
			case <-ctx.Done():
			case <-time.After(k.Pause()):
			}
		}
	})
	return func(bound context.Context) {
		quit()
		_ = p.Resume() // a suspended process hears no SIGTERM; it may be gone already
		_ = p.Signal(syscall.SIGTERM)
		if _, err := p.Wait(bound); err != nil {
			_ = p.Signal(syscall.SIGKILL)
		}
		done.Wait()
	}
}

// once is one process from its start to its end.
func (p *Process) once(ctx context.Context) Ending {
	if err := p.launch(ctx); err != nil {
		return Failed
	}
	<-p.ended()
	p.mu.Lock()
	defer p.mu.Unlock()
	state := p.cmd.ProcessState
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		if p.killed {
			return Killed
		}
		return Died
	}
	if state.Success() {
		return Stopped
	}
	return Failed
}
