// Command sandbox shows the whole bridge at work on one machine, against a
// simulated Weiban and a simulated Kingdee; see package sandbox.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"gongdan-bridge/internal/sandbox"
)

type flags struct {
	Once bool   `help:"End when the story has been told; exit status 0 only if it ended as it must."`
	Dir  string `placeholder:"DIR" help:"Keep configuration and store in DIR (default: a temporary one)."`
	Log  string `placeholder:"FILE" help:"Write the programs' logs to FILE."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
	}
	os.Exit(status(err))
}

// errUsage is the class of command-line faults.
var errUsage = errors.New("usage")

// status is what the program ends with: 0, 2 for a wrong command line, else 1.
func status(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		return 1
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	var f flags
	k, err := kong.New(&f, kong.Name("sandbox"), kong.Description(
		"Runs the bridge with an embedded NATS server against a simulated Weiban and a simulated Kingdee, tells a story of four work orders, and stays up."))
	if err != nil {
		return err
	}
	if _, err := k.Parse(args); err != nil {
		return fmt.Errorf("%w: %w (see sandbox --help)", errUsage, err)
	}
	o := sandbox.Options{Once: f.Once, Dir: f.Dir, Stdout: stdout}
	if f.Log != "" {
		file, err := os.Create(f.Log)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		o.Log = file
	}
	return sandbox.Run(ctx, o)
}
