//go:build unix

package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Programs are the paths of the binaries.
type Programs struct{ Ingest, Dispatcher, Sandbox, NATS string }

// Build compiles the bridge's programs and a NATS server of the version that the
// bridge embeds into dir. The working directory must lie within the module;
// flags go to go build, e.g. -race or -tags.
func Build(ctx context.Context, dir string, flags ...string) (Programs, error) {
	args := append([]string{"build", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}, flags...)
	args = append(args, "gongdan-bridge/cmd/ingest", "gongdan-bridge/cmd/dispatcher", "gongdan-bridge/cmd/sandbox",
		"github.com/nats-io/nats-server/v2")
	c := exec.CommandContext(ctx, "go", args...)
	if out, err := c.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return Programs{Ingest: at("ingest"), Dispatcher: at("dispatcher"), Sandbox: at("sandbox"), NATS: at("nats-server")}, nil
}

// Builder builds the programs when they are first asked for; the zero Builder is
// ready, and [Builder.Main] cleans up.
type Builder struct {
	Flags []string // see [Build]

	once     sync.Once
	dir      string
	programs Programs
	err      error
}

// Programs are the programs. It may be called by several tests at once.
func (b *Builder) Programs() (Programs, error) {
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "gongdan-programs-"); b.err == nil {
			b.programs, b.err = Build(context.Background(), b.dir, b.Flags...)
		}
	})
	return b.programs, b.err
}

// Main runs a package's tests and removes what was built.
func (b *Builder) Main(m interface{ Run() int }) (status int) {
	defer func() { _ = os.RemoveAll(b.dir) }() // RemoveAll of "" does nothing
	return m.Run()
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	Status         int
}

// Run runs a program to its end with the installation's environment, directory
// and configuration. An exit status other than 0 is a result and no error.
func (i *Installation) Run(ctx context.Context, program string, args ...string) (Result, error) {
	return Run(ctx, i.o.Dir, append(i.env(), "GONGDAN_CONFIG="+i.Config()), program, args...)
}

// Run runs a program to its end. An exit status other than 0 is a result and no
// error.
func Run(ctx context.Context, dir string, env []string, program string, args ...string) (Result, error) {
	var stdout, stderr strings.Builder
	c := exec.CommandContext(ctx, program, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, env, &stdout, &stderr
	err := c.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: -1}
	if exit := new(exec.ExitError); err == nil || errors.As(err, &exit) && exit.Exited() {
		r.Status = c.ProcessState.ExitCode()
		return r, nil
	}
	return r, fmt.Errorf("run %s %s: %w", filepath.Base(program), strings.Join(args, " "), err)
}
