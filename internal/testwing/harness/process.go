//go:build unix

package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is one program of an installation. It can be started again after every kind of
// end; its log continues in the same file.
type Process struct {
	Name string
	Env  []string // of the next start, beside what the installation gives: NAME=value

	program, dir, log string
	args, env         []string
	admin, ready      string // address of the admin listener, and the path that says 200 once all is up
	nest              *nest

	mu     sync.Mutex
	cmd    *exec.Cmd     // of the run now or the last one; nil before the first
	done   chan struct{} // closed when that run has ended
	killed bool          // that run, by us
}

// NewProcess is a program outside of any installation, with the caller's environment.
// admin is the URL of its admin listener; its log is the file <name>.log in dir.
// [Process.Discard] ends it.
func NewProcess(dir, name, program, admin string, args ...string) *Process {
	return &Process{
		Name: name, program: program, args: args, dir: dir, env: os.Environ(), nest: newNest(),
		admin: admin, ready: "/readyz", log: filepath.Join(dir, name+".log"),
	}
}

// Discard kills a process of [NewProcess], if it runs; it cannot be started again.
func (p *Process) Discard() error {
	err := p.Kill()
	p.nest.close()
	return err
}

// look is the time between two looks at a process that comes up.
const look = 10 * time.Millisecond

// Start starts the process and waits until it is ready, or has ended, or ctx has.
func (p *Process) Start(ctx context.Context) error {
	if err := p.Launch(); err != nil {
		return err
	}
	return p.Ready(ctx)
}

// Launch starts the process and does not wait.
func (p *Process) Launch() error { return p.launch(context.Background()) }

// launch does so unless ctx has ended.
func (p *Process) launch(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return fmt.Errorf("start %s: %w", p.Name, context.Cause(ctx))
	}
	if p.running() {
		return fmt.Errorf("start %s: it runs", p.Name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	defer func() { _ = log.Close() }()                                   // the child has its own
	c := exec.CommandContext(context.Background(), p.program, p.args...) // it lives until it is ended
	c.Dir, c.Env, c.Stdout, c.Stderr = p.dir, append(slices.Clone(p.env), p.Env...), log, log
	if err := p.nest.start(c); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.killed = c, done, false
	go func() {
		_ = c.Wait() // how it ended is read from its state
		close(done)
	}()
	return nil
}

// Ready waits until the process says that it is ready; it is an error if it ends
// before.
func (p *Process) Ready(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		status, _, err := p.Get(ctx, p.ready)
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-p.ended():
			return p.fault("it ended before it was ready")
		case <-ctx.Done():
			return p.fault("it is not ready in time")
		case <-tick.C:
		}
	}
}

// Stop asks the process to end and waits. It is an error if it ends with another
// status than 0, or not before ctx; then it is killed.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	status, err := p.Wait(ctx)
	if err != nil {
		return errors.Join(err, p.Kill())
	}
	if status != 0 {
		return p.fault("it ended with status " + strconv.Itoa(status))
	}
	return nil
}

// Kill ends the process without a word (kill -9), also a suspended one, and
// waits until it is gone. One that does not run is left alone.
func (p *Process) Kill() error {
	if !p.Running() {
		return nil
	}
	if err := p.Signal(syscall.SIGKILL); err != nil && p.Running() {
		return err
	}
	<-p.ended()
	return nil
}

// Suspend stops the process where it is (SIGSTOP); Resume lets it go on.
func (p *Process) Suspend() error { return p.Signal(syscall.SIGSTOP) }

// Resume lets a suspended process go on.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Signal sends a signal to the process.
func (p *Process) Signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return fmt.Errorf("signal %s: it does not run", p.Name)
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	p.killed = p.killed || s == syscall.SIGKILL
	return nil
}

// PID is the process's id, 0 if none runs.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Wait waits until the process has ended and returns its exit status, -1 if a
// signal ended it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.ended():
		return p.status()
	case <-ctx.Done():
		return -1, p.fault("it has not ended in time")
	}
}

func (p *Process) status() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return -1, fmt.Errorf("wait for %s: it was never started", p.Name)
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Running says whether the process was started and has not ended.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended is closed once the run is over.
func (p *Process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		never := make(chan struct{})
		close(never)
		return never
	}
	return p.done
}

// Get asks the admin listener, e.g. for /metrics.
func (p *Process) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.admin+path, http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s: %w", p.Name, err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s: %w", p.Name, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return 0, nil, fmt.Errorf("ask %s: %w", p.Name, err)
	}
	return answer.StatusCode, body, nil
}

// Log is everything that the process has written, in all its runs.
func (p *Process) Log() ([]byte, error) { return os.ReadFile(p.log) }

// Resident is the memory that the process occupies now, in bytes (VmRSS); only
// Linux tells.
func (p *Process) Resident() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return 0, fmt.Errorf("memory of %s: it does not run", p.Name)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", p.Name, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("memory of %s: the system does not say", p.Name)
}

// fault is an error with the end of the log.
func (p *Process) fault(what string) error {
	log, err := p.Log()
	if err != nil {
		return fmt.Errorf("%s: %s, and there is no log: %w", p.Name, what, err)
	}
	const tail = 2000
	return fmt.Errorf("%s: %s; its log ends:\n%s", p.Name, what, log[max(0, len(log)-tail):])
}
