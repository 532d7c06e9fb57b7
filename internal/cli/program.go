// Package cli is the command line of each program: its grammar, and how results
// are printed. The commands under cmd start it.
//
// It decides nothing about events.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/textfile"
)

// Program is the surroundings of one run of a command.
type Program struct {
	Args   []string // without the program's name
	Env    func(string) (string, bool)
	Stdout io.Writer
	Stderr io.Writer
	NATS   app.StartNATS // nil in a program that links no server
}

// defaultConfig is where the configuration is looked for.
const defaultConfig = "bridge.yaml"

// load reads the configuration for a command.
func load(p Program, g *globals) (*config.Config, error) {
	env := p.Env
	if g.EnvFile != "" {
		var err error
		if env, err = config.EnvFile(g.EnvFile, p.Env); err != nil {
			return nil, err
		}
	}
	return config.Load(g.Config, env)
}

// globals are the flags that every subcommand takes.
type globals struct {
	Config  string `short:"c" default:"bridge.yaml" env:"GONGDAN_CONFIG" placeholder:"FILE" help:"The configuration (${default})."`
	EnvFile string `name:"env-file" placeholder:"FILE" help:"Where secrets of env:NAME are found that the environment lacks: NAME=value a line."`
}

// errUsage is the class of command-line faults.
var errUsage = errors.New("usage")

// usageError is one that a subcommand finds. [Program.Run] says that it is one.
type usageError struct{ text string }

func (e usageError) Error() string        { return e.text }
func (e usageError) Is(target error) bool { return target == errUsage }

func misused(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// Main runs a program until its work ends or a signal stops it. It says on
// standard error what went wrong, and returns the exit status.
func Main(name string, run func(context.Context, Program) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	err := run(ctx, Program{Args: os.Args[1:], Env: os.LookupEnv, Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, Complaint(name, err))
	}
	return ExitStatus(err)
}

// endings are the signals that stop a program softly. Under nohup a hang-up stays ignored.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// Run parses the arguments into grammar and runs the chosen subcommand, whose Run
// method may ask for the context, the Program and what bind binds.
func (p Program) Run(ctx context.Context, name, help string, grammar any, bind ...kong.Option) error {
	exited := false
	k, err := kong.New(grammar, append(bind,
		kong.Name(name), kong.Description(help), kong.UsageOnError(),
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p),
	)...)
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
	err = c.Run()
	if wrong := (*operate.RequestError)(nil); errors.As(err, &wrong) || errors.Is(err, errUsage) {
		err = fmt.Errorf("%w: %w (see %s --help)", errUsage, err, commandOf(name, c))
	}
	return err
}

// asked is the command that a wrong command line names.
func asked(name string, err error) string {
	var bad *kong.ParseError
	if errors.As(err, &bad) && bad.Context != nil {
		return commandOf(name, bad.Context)
	}
	return name
}

// commandOf is a program's name and the subcommand that was chosen, without its
// arguments.
func commandOf(name string, c *kong.Context) string {
	command, _, _ := strings.Cut(c.Command(), "<")
	if command == "run" {
		return name
	}
	return strings.TrimSpace(name + " " + command)
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

type versionCmd struct{}

func (versionCmd) Run(p Program) error {
	_, err := fmt.Fprintln(p.Stdout, app.Version())
	return err
}

// whoami is the name that an audit keeps unless --who gives another.
func whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}
