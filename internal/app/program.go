// Package app assembles the programs: it reads the configuration, builds the
// parts in order, connects them, and takes them down again. The commands under
// cmd call it, and so does the sandbox, so that what is tried there is what
// runs.
//
// It holds no rule of the trade. It is the only package that reads the
// configuration; every part gets plain settings.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"runtime/debug"
	"strconv"
	"strings"

	"gongdan-bridge/internal/textfile"

	"github.com/alecthomas/kong"
)

// Program is the surroundings of one run of a command.
type Program struct {
	Args   []string // without the program's name
	Env    func(string) (string, bool)
	Stdout io.Writer
	Stderr io.Writer
	NATS   StartNATS // see [Run]; nil in a program that links no server
}

// defaultConfig is where the configuration is looked for.
const defaultConfig = "bridge.yaml"

// globals are the flags that every subcommand takes.
type globals struct {
	Config string `short:"c" default:"bridge.yaml" env:"GONGDAN_CONFIG" placeholder:"FILE" help:"The configuration (${default})."`
}

// errUsage is the class of command-line faults; the text has been chosen by kong.
var errUsage = errors.New("usage")

// run parses the arguments into cli and runs the chosen subcommand. bind are
// values that the subcommands' Run methods ask for.
func (p Program) run(ctx context.Context, name, help string, cli any, g *globals) error {
	exited := false
	k, err := kong.New(cli,
		kong.Name(name), kong.Description(help), kong.UsageOnError(),
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p, g),
	)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c, err := k.Parse(p.Args)
	if exited { // --help or --version has been answered
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w (see %s --help)", errUsage, err, asked(name, err))
	}
	return c.Run()
}

// asked is the command that a wrong command line was about, as far as it names one.
func asked(name string, err error) string {
	var bad *kong.ParseError
	if errors.As(err, &bad) && bad.Context != nil {
		if c := bad.Context.Command(); c != "" && c != "run" {
			name += " " + strings.TrimSpace(strings.Split(c, "<")[0])
		}
	}
	return name
}

// ExitStatus is what a program ends with: 0, 2 for a wrong command line, else 1.
func ExitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		return 1
	}
}

// Complaint is what a program says of its error, without the line's end. Faults of a
// file begin their lines, as editors and CI read them, and are counted at the end.
func Complaint(name string, err error) string {
	text, first := err.Error(), ""
	if list := textfile.Of(err); list != nil {
		first = list[0].String()
	}
	if first == "" || !strings.HasPrefix(text, first) {
		return name + ": " + text
	}
	return fmt.Sprintf("%s\n%s: %s", text, name, faults(strings.Count(text, "\n")+1))
}

func faults(n int) string {
	if n == 1 {
		return "1 fault"
	}
	return strconv.Itoa(n) + " faults"
}

// Version is the module's version, or the revision that it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}

type versionCmd struct{}

func (versionCmd) Run(p Program) error {
	_, err := fmt.Fprintln(p.Stdout, Version())
	return err
}

// whoami is the name that an audit keeps unless --who gives another.
func whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}
