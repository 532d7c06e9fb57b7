// Command sandbox shows the whole bridge at work on one machine, against a
// simulated Weiban and a simulated Kingdee; see package sandbox.
package main

import (
	"context"
	"os"

	"gongdan-bridge/internal/cli"
	"gongdan-bridge/internal/sandbox"
)

const help = "Runs the bridge with an embedded NATS server against a simulated Weiban and a simulated Kingdee, tells a story of four " +
	"work orders, and stays up."

type flags struct {
	Once bool   `help:"End when the story has been told; exit status 0 only if it ended as it must."`
	Dir  string `placeholder:"DIR" help:"Keep configuration and store in DIR (default: a temporary one)."`
	Log  string `placeholder:"FILE" help:"Write the programs' logs to FILE."`
}

func main() {
	os.Exit(cli.Main("sandbox", func(ctx context.Context, p cli.Program) error {
		return p.Run(ctx, "sandbox", help, &flags{})
	}))
}

// Run tells the story.
func (f flags) Run(ctx context.Context, p cli.Program) error {
	o := sandbox.Options{Once: f.Once, Dir: f.Dir, Stdout: p.Stdout}
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
